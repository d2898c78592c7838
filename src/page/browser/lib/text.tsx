// External text, made safe: hidden and control characters are spelled out, and it cannot reorder the text around it.

import { exactJson, layOutJson } from "../../../core/text/exact.ts";
import { visible } from "../../../core/text/visible.ts";

/** On one line. */
export const Said = ({ text }: { text: string }) => <bdi class="said">{visible(text)}</bdi>;

/** With its own line breaks. */
export const SaidLines = ({ text }: { text: string }) => (
  <bdi class="said lines">{text.split("\n").map(visible).join("\n")}</bdi>
);

/** JSON as sent, pretty-printed: no number is rounded, and nothing is hidden. */
export const laidOut = (json: string): string => exactJson(layOutJson(json)?.lines.join("\n") ?? json);

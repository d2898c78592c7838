// Text from outside as text: what would hide, reorder or act is written out, and it cannot reorder what is around it.

import { exactJson, layOutJson } from "../../../core/text/exact.ts";
import { visible } from "../../../core/text/visible.ts";

/** On one line. */
export const Said = ({ text }: { text: string }) => <bdi class="said">{visible(text)}</bdi>;

/** With its own line breaks. */
export const SaidLines = ({ text }: { text: string }) => (
  <bdi class="said lines">{text.split("\n").map(visible).join("\n")}</bdi>
);

/** JSON as it was sent, laid out: no number is rounded, and nothing is hidden. */
export const laidOut = (json: string): string => exactJson(layOutJson(json)?.lines.join("\n") ?? json);

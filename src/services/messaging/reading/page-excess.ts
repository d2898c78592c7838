// Removes JSON that is too large to parse from the text of a page: one sender must not keep others' messages from being
// read.

import { type Excess, endOfString, excessIn, type Most } from "../../../core/json-shape.ts";

/** Deeper than any sensible message, and as deep as the code here can walk. */
const DEEPEST = 500;
/** Of the JSON of all messages of a page together. */
const MOST_IN_JSON = 200_000;
/** A page cannot be requested in parts, and has everything that was written in a day. */
export const MOST_OF_PAGE: Most = { depth: DEEPEST + 10, values: 1_000_000 };

export const OMITTED = {
  depth: "nested too deeply",
  values: "too many values",
  digits: "a number of too many digits",
} as const satisfies Record<Excess, string>;

/** The page with `jsonOmitted` in place of JSON that is too large. The input need not be JSON. */
export function withoutExcess(text: string): string {
  const kept: string[] = [];
  let from = 0;
  let values = 0;
  for (const { name, start, end } of jsonMembers(text)) {
    const found = excessIn(text, { depth: DEEPEST, values: MOST_IN_JSON - values }, start, end);
    if (found.excess === undefined) values += found.values;
    else {
      kept.push(text.slice(from, name), `"jsonOmitted":"${OMITTED[found.excess]}"`);
      from = end;
    }
  }
  return kept.length === 0 ? text : kept.join("") + text.slice(from);
}

/** Nested in the page, its list and a message. */
const MESSAGE_DEPTH = 3;
const IS_JSON = /^"json"\s*:\s*/;

/** The members named `json` of messages: where their names are, and where their values begin and end. */
function* jsonMembers(text: string): Generator<{ name: number; start: number; end: number }> {
  let depth = 0;
  let member: { name: number; start: number } | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') {
      if (depth === MESSAGE_DEPTH && !member) {
        const name = IS_JSON.exec(text.slice(at, at + 40));
        if (name) {
          member = { name: at, start: at + name[0].length };
          at = member.start - 1;
          continue;
        }
      }
      at = endOfString(text, at);
    } else if (char === "[" || char === "{") depth++;
    else if (char === "]" || char === "}" || char === ",") {
      if (depth === MESSAGE_DEPTH && member) {
        yield { ...member, end: at };
        member = undefined;
      }
      if (char !== ",") depth--;
    }
  }
}

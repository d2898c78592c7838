// Text from outside made safe for a terminal: what would act on it, hide or reorder becomes visible; and how many
// columns it takes there.

import { eastAsianWidth } from "get-east-asian-width";
import { glyphs } from "./glyphs.ts";

// Controls (C0, C1, DEL), format characters (bidi, zero-width, tags), lone surrogates, private and unassigned code
// points, line and paragraph separators, and everything that a terminal draws as nothing.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
// A variation selector straight after a pictograph only chooses its colours ("⚠️"); anywhere else it hides data. Code
// points kept for future pictographs are unassigned, thus escaped themselves: none is shown for a selector to colour.
const EMOJI_STYLE = /(?<=(?!\p{Cn})\p{Extended_Pictographic})\uFE0F/u;
// Letters and symbols that are drawn as nothing: hieroglyphic blanks, the head of a note that has none.
const BLANK = /[\u{13441}\u{13442}\u{1d159}]/u;
// The vowels and finals of Korean syllables in parts. They have no columns of their own: behind anything but the part
// that they go on with, they would be painted over it.
const STRAY_PART =
  /(?<![\u1100-\u115e\ua960-\ua97c])[\u1161-\u11a7\ud7b0-\ud7c6]|(?<![\u1100-\u115e\ua960-\ua97c][\u1161-\u11a7\ud7b0-\ud7c6])[\u11a8-\u11ff\ud7cb-\ud7fb]/u;
// More marks than any word needs paint over the lines above and below.
const PILED_MARK = /(?<=\p{M}{4})\p{M}/u;
const ESCAPED = new RegExp(
  `(${EMOJI_STYLE.source})|${[UNSAFE, BLANK, STRAY_PART, PILED_MARK].map(({ source }) => source).join("|")}`,
  "gu",
);

const PLAIN = /^[ -~]*$/;
/** Most text is. Until something else appears, the tables of Unicode are not needed, 3 MB of an idle daemon. */
const isPlain = (text: string): boolean => PLAIN.test(text);

/** Whether a character takes no columns where it stands, so that nobody sees it. `before`: what stands before it. */
export const isUnseen = (char: string, before: string): boolean => {
  if (char < "\u1100") return false;
  if (BLANK.test(char)) return true;
  const pair = before.slice(-2) + char;
  STRAY_END.lastIndex = pair.length - char.length;
  return STRAY_END.test(pair);
};
const STRAY_END = new RegExp(STRAY_PART.source, "uy");

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * The same text with every control character, terminal escape, bidi control and invisible character written out:
 * `\n`, `\x1b`, `\u{202e}`. The result is one line and needs no escaping again.
 */
export const visible = (text: string): string =>
  isPlain(text)
    ? text
    : text.replace(ESCAPED, (char, emojiStyle: string | undefined) => {
        if (emojiStyle !== undefined) return char;
        const code = char.codePointAt(0) ?? 0;
        return (
          SHORT[char] ??
          (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`)
        );
      });

/**
 * JSON text for a terminal: the same value, with unsafe characters inside its strings as `\uXXXX`. Line breaks
 * between its tokens stay.
 */
export const visibleJson = (json: string): string =>
  isPlain(json)
    ? json
    : json.replace(ESCAPED, (char, emojiStyle: string | undefined) => {
        if (emojiStyle !== undefined || char === "\n" || char === "\r" || char === "\t") return char;
        let escaped = "";
        for (let i = 0; i < char.length; i++)
          escaped += `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`;
        return escaped;
      });

const MARK = /\p{M}/u;
/** Those that take a column in some terminals. */
const SPACING_MARK = /\p{Mc}/u;
const PICTOGRAPH = /\p{Emoji_Presentation}/u;
const PART = /[\u1161-\u11ff\ud7b0-\ud7fb]/u;
const EMOJI_SELECTOR = "\ufe0f";

function columnsOf(char: string): number {
  if (char >= " " && char <= "~") return 1;
  if (char === EMOJI_SELECTOR) return 1; // it widens the pictograph before it
  if (MARK.test(char)) return SPACING_MARK.test(char) ? 1 : 0;
  if (PART.test(char)) return 0;
  return PICTOGRAPH.test(char) ? 2 : eastAsianWidth(char.codePointAt(0) ?? 0);
}

/**
 * How many columns a terminal gives to text that is already visible: the most, where terminals differ, so that a line
 * that fits is never broken by one. What is ambiguous (Greek, box drawing) counts as in every terminal that is not set
 * to East Asian widths.
 */
export function width(text: string): number {
  if (isPlain(text)) return text.length;
  let columns = 0;
  for (const char of text) columns += columnsOf(char);
  return columns;
}

/** The most columns that any terminal gives to it, one that takes all of another alphabet for wide included. */
export function columnsAtMost(text: string): number {
  let columns = 0;
  for (const char of text) columns += char >= " " && char <= "~" ? 1 : columnsOf(char) === 0 ? 0 : 2;
  return columns;
}

/** The text, cut with "…" where it would take more than `columns`. */
export function clip(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let used = 0;
  let kept = "";
  for (const char of text) {
    used += columnsOf(char);
    if (used > columns - 1) break;
    kept += char;
  }
  return `${kept}${glyphs.cut}`;
}

/** The text, filled with spaces to `columns`. */
export const pad = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - width(text)));

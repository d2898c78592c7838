// Text from outside made safe for a terminal: what would act on it, hide or reorder becomes visible.

// Controls (C0, C1, DEL), format characters (bidi, zero-width, tags), lone surrogates, private and unassigned code
// points, line and paragraph separators, and everything that a terminal draws as nothing.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
// A variation selector straight after a pictograph only chooses its colours ("⚠️"); anywhere else it hides data. Code
// points kept for future pictographs are unassigned, thus escaped themselves: none is shown for a selector to colour.
const EMOJI_STYLE = /(?<=(?!\p{Cn})\p{Extended_Pictographic})\uFE0F/u;
const ESCAPED = new RegExp(`(${EMOJI_STYLE.source})|${UNSAFE.source}`, "gu");

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * The same text with every control character, terminal escape, bidi control and invisible character written out:
 * `\n`, `\x1b`, `\u{202e}`. The result is one line and needs no escaping again.
 */
export const visible = (text: string): string =>
  text.replace(ESCAPED, (char, emojiStyle: string | undefined) => {
    if (emojiStyle !== undefined) return char;
    const code = char.codePointAt(0) ?? 0;
    return (
      SHORT[char] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`)
    );
  });

/**
 * JSON text for a terminal: the same value, with unsafe characters inside its strings as `\uXXXX`. Line breaks
 * between its tokens stay.
 */
export const visibleJson = (json: string): string =>
  json.replace(ESCAPED, (char, emojiStyle: string | undefined) => {
    if (emojiStyle !== undefined || char === "\n" || char === "\r" || char === "\t") return char;
    let escaped = "";
    for (let i = 0; i < char.length; i++) escaped += `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`;
    return escaped;
  });

const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u; // U+FE0F is one

const columnsOf = (char: string) => {
  if (char >= " " && char <= "~") return 1;
  if (MARK.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
};

/** How many columns a terminal gives to text that is already visible. */
export function width(text: string): number {
  let columns = 0;
  for (const char of text) columns += columnsOf(char);
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
  return `${kept}…`;
}

/** The text, filled with spaces to `columns`. */
export const pad = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - width(text)));

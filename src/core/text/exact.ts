// Text shown so that it cannot be mistaken for another: for what a person approves, where src/core/text/visible.ts
// only keeps a terminal safe. Two different texts never look the same.

import { NEWER_CHARACTERS } from "./newer-characters.ts";
import { columnsAtMost, isUnseen } from "./visible.ts";

// What a terminal acts on, hides or reorders (as in visible.ts), every white space that is not the plain one, and what
// not every runtime knows.
const HIDDEN = new RegExp(
  `[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}\\p{Default_Ignorable_Code_Point}\\u2800${NEWER_CHARACTERS}]|(?! )\\p{Zs}`,
  "u",
);
const MARK = /\p{M}/u;
const LETTER = /\p{L}/u;
// More marks than any word needs are a way to paint over the lines above and below.
const MARKS_ON_A_LETTER = 2;

// Each on its own, but for runs of what needs no look: most texts are little else.
const CHARACTERS = /[ !#-[\]-~]+|./gsu;
const ENDS_IN_LETTER = /[A-Za-z]$/;

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const escaped = (char: string): string =>
  SHORT[char] ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}}`;

const PLAIN = /^[ !#-[\]-~]*$/;
const PRINTED = /^[ -~]*$/;

const escapeHidden = (text: string, quoted: string): string => {
  if ((quoted === "" ? PRINTED : PLAIN).test(text)) return text;
  let shown = "";
  let marksLeft = 0;
  for (const { 0: char, index } of text.matchAll(CHARACTERS)) {
    if (char >= " " && char < "\u007f") {
      shown += quoted.includes(char) ? `\\${char}` : char;
      marksLeft = ENDS_IN_LETTER.test(char) ? MARKS_ON_A_LETTER : 0;
    } else if (HIDDEN.test(char) || isUnseen(char, text.slice(Math.max(0, index - 2), index))) {
      shown += escaped(char);
      marksLeft = 0;
    } else if (MARK.test(char)) {
      // Without a letter below it a mark would change the sign before it, a quote or an escape.
      shown += marksLeft > 0 ? char : escaped(char);
      marksLeft -= 1;
    } else {
      shown += char;
      marksLeft = LETTER.test(char) ? MARKS_ON_A_LETTER : 0;
    }
  }
  return shown;
};

/** One line in which what is hidden stands as `\u{202e}`, and a backslash of the text itself as `\\`. */
export const exact = (text: string): string => escapeHidden(text, "\\");

/** The same between quotes, so that blanks at either end are seen; a quote of the text itself is `\"`. */
export const quoted = (text: string): string => `"${escapeHidden(text, '\\"')}"`;

/** JSON text, whose own backslashes are left as they are: `\u{…}` is nothing that JSON can write. */
export const exactJson = (json: string): string => escapeHidden(json, "");

/**
 * The lines of a compact JSON text laid out for reading: its tokens untouched, with line breaks, indents and blanks
 * after colons between them. Undefined where the text has white space of its own there, or is no JSON.
 * @param most lines that are made; `left` counts the others
 */
export function layOutJson(
  json: string,
  most = Number.POSITIVE_INFINITY,
): { lines: string[]; left: number } | undefined {
  const lines: string[] = [];
  let left = 0;
  let depth = 0;
  let line = "";
  let from = 0;
  let before = 0;
  const endLine = (at: number) => {
    if (lines.length < most) {
      lines.push(line + json.slice(from, at));
      line = "  ".repeat(Math.min(depth, DEEPEST_INDENT));
    } else left++;
    from = at;
  };
  // By hand, and each line in one piece: a match for every token of a large text is more than all its lines.
  for (let at = 0; at < json.length; ) {
    const token = json.charCodeAt(at);
    const isEnd = token === CLOSE_OBJECT || token === CLOSE_LIST;
    const isAfterOpening = before === OPEN_OBJECT || before === OPEN_LIST;
    if (isEnd) depth -= 1;
    if (isEnd !== isAfterOpening) endLine(at);
    before = token;
    at = endOfToken(json, at);
    if (at < 0) return undefined;
    if (token === OPEN_OBJECT || token === OPEN_LIST) depth += 1;
    else if (token === COMMA) endLine(at);
    else if (token === COLON && lines.length < most) {
      line += `${json.slice(from, at)} `;
      from = at;
    }
  }
  if (lines.length < most) lines.push(line + json.slice(from));
  else left++;
  return { lines, left };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const [COMMA, COLON] = [0x2c, 0x3a];
const SIGNS: ReadonlySet<number> = new Set([OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST, COMMA, COLON]);
const WORD = /[^\s"{}[\],:]+/y;

/** -1: none begins there. */
function endOfToken(json: string, start: number): number {
  const first = json.charCodeAt(start);
  if (SIGNS.has(first)) return start + 1;
  if (first !== QUOTE) {
    WORD.lastIndex = start;
    return WORD.test(json) ? WORD.lastIndex : -1;
  }
  for (let at = start + 1; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at++;
  }
  return -1;
}

const DEEPEST_INDENT = 12;

/**
 * A line cut into pieces of at most `columns`, counted so that no terminal needs more for them: a piece is never
 * broken by the terminal itself.
 */
export function chop(line: string, columns: number): string[] {
  if (line.length <= columns && PRINTED.test(line)) return [line];
  const pieces: string[] = [];
  let from = 0;
  let end = 0;
  let used = 0;
  for (const char of line) {
    const wide = columnsAtMost(char);
    if (used + wide > columns) {
      pieces.push(line.slice(from, end));
      from = end;
      used = 0;
    }
    end += char.length;
    used += wide;
  }
  pieces.push(line.slice(from));
  return pieces;
}

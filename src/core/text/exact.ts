// Text shown so that it cannot be mistaken for another: for what a person approves, where src/core/text/visible.ts
// only keeps a terminal safe. Two different texts never look the same.

import { columnsAtMost, isUnseen } from "./visible.ts";

// What a terminal acts on, hides or reorders (as in visible.ts), and every white space that is not the plain one.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;
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

const escapeHidden = (text: string, quoted: string): string => {
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
 */
export function layOutJson(json: string): string[] | undefined {
  const lines: string[] = [];
  let line = "";
  let depth = 0;
  const endLine = () => {
    lines.push(line);
    line = "  ".repeat(Math.min(depth, DEEPEST_INDENT));
  };
  let end = 0;
  let before = "";
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    if (index !== end) return undefined;
    end += token.length;
    if (token === "}" || token === "]") {
      depth -= 1;
      if (before !== "{" && before !== "[") endLine();
    } else if (before === "{" || before === "[") endLine();
    line += token;
    if (token === "{" || token === "[") depth += 1;
    else if (token === ",") endLine();
    else if (token === ":") line += " ";
    before = token;
  }
  if (end !== json.length) return undefined;
  lines.push(line);
  return lines;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs;
const DEEPEST_INDENT = 12;

/**
 * A line cut into pieces of at most `columns`, counted so that no terminal needs more for them: a piece is never
 * broken by the terminal itself.
 */
export function chop(line: string, columns: number): string[] {
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

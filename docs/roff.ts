// Pages for man(1), in the man(7) macros, from text that is not roff.

import { visible } from "../src/core/text/visible.ts";

// Also those that a terminal's man would turn into a typographic character, which nobody can copy into a shell.
const GLYPHS: Record<string, string> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  '"': "\\(dq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  "…": "...",
};

/** Text as roff that prints it: one line, which may stand alone, behind a macro or in one of its quoted arguments. */
export function roff(text: string): string {
  const escaped = visible(text).replace(
    /[\\\-'"`^~…]|[^\x20-\x7e]/gu,
    (char) =>
      GLYPHS[char] ?? `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
  );
  // A dot at its beginning would be a command; a blank there would break the line.
  return /^[. ]/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Text over several lines, filled by man as it likes. */
export const paragraph = (text: string): string =>
  roff(text.split(/\s+/).filter(Boolean).join(" "))
    .split(" ")
    // A name to type is not hyphenated.
    .map((word) => (/[$_/]|^\\-/.test(word) ? `\\%${word}` : word))
    .join(" ");

/** Lines as they stand. */
const verbatim = (lines: string[]): string =>
  [".EX", ...lines.map((line) => roff(line.trimEnd())), ".EE"].join("\n");

/**
 * Lines as a help has them: prose, and indented examples, which stay as they stand; where each of these has a gap in
 * it, they are terms and what they mean.
 */
export function texts(lines: string[]): string[] {
  const kindOf = (line: string) =>
    line.trim() === "" ? "blank" : line.startsWith(" ") ? "example" : "prose";
  const found: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const kind = kindOf(lines[at] ?? "");
    const end = lines.findIndex((line, index) => index > at && kindOf(line) !== kind);
    const run = lines.slice(at, end < 0 ? undefined : end);
    at += run.length;
    if (kind === "prose") found.push(".PP", paragraph(run.join(" ")));
    else if (kind === "blank") continue;
    else if (run.every((line) => TERM.test(line))) found.push(...run.map((line) => item(...termIn(line))));
    else found.push(".PP", verbatim(run));
  }
  return found[0] === ".PP" ? found.slice(1) : found;
}

const TERM = /^ +(\S.*?) {3,}(\S.*)$/;

function termIn(line: string): [string, string] {
  const [, term = "", meaning = ""] = TERM.exec(line) ?? [];
  return [term, meaning];
}

export const section = (title: string): string => `.SH ${quoted(title)}`;
export const subsection = (title: string): string => `.SS ${quoted(title)}`;

/** A term, bold, and below it what it means. */
export const item = (term: string, meaning: string): string =>
  `.TP\n\\fB${roff(term)}\\fR\n${paragraph(meaning) || "\\&"}`;

const quoted = (text: string): string => `"${roff(text)}"`;

export interface Page {
  name: string;
  section: number;
  /** A few words, in lower case. */
  summary: string;
  body: string[];
}

/** @param date of the page, as a day, or empty; @param version of what it describes */
export const render = (
  { name, section: number, summary, body }: Page,
  version: string,
  date: string,
): string =>
  `${[
    `.TH ${quoted(name.toUpperCase())} ${number} "${date}" ${quoted(`nexusd ${version}`)} "nexusd"`,
    ".ad l",
    section("NAME"),
    `${roff(name)} \\- ${paragraph(summary)}`,
    ...body,
  ].join("\n")}\n`;

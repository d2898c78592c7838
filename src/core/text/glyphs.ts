// The signs that nexusctl draws with: those of Unicode, or ASCII where the locale of the terminal has no others.

const UNICODE = { line: "│", continued: "┊", broken: "↩", goesOn: "↪", cut: "…", remedy: "→" };
const ASCII: typeof UNICODE = { line: "|", continued: ":", broken: "\\", goesOn: ">", cut: "~", remedy: ">" };

/** Each takes one column. Text from outside is shown in its own letters in either. */
export let glyphs: Readonly<typeof UNICODE> = UNICODE;

/**
 * Chosen once for a command. Where no variable names a locale, which is so in most containers, the terminal is taken
 * for one of UTF-8, as nearly every one is.
 */
export function chooseGlyphs({ LC_ALL, LC_CTYPE, LANG }: Readonly<Record<string, string | undefined>>): void {
  const locale = LC_ALL || LC_CTYPE || LANG || "C.UTF-8";
  glyphs = /utf-?8/i.test(locale) ? UNICODE : ASCII;
}

// What in a text looks like something else, or like nothing, in words for the person who decides. An ordinary text in
// any one language has none of it, nor has one with whole words of another.

import { domainToUnicode } from "node:url";
import {
  LATIN_LOOKS,
  LATIN_VARIANTS,
  LOOKED_LIKE,
  SEPARATOR_LOOKS,
  scriptOf,
  WIDE_SEPARATOR_LOOKS,
} from "./look-alike-letters.ts";

export interface LookAlike {
  /** The word it is in, or the beginning of a long one, as it stands in the text; not safe for a terminal. */
  word: string;
  /** A clause: `"а" is U+0430, a Cyrillic letter that looks like "a"`. */
  what: string;
}

/**
 * All of them in their order, the same thing in the same word once: letters of two alphabets in a word, signs that look
 * like those of a URL, host names that are written in the look-alikes of Latin letters, invisible characters, piles of
 * marks.
 */
export function lookAlikes(text: string): LookAlike[] {
  if (PLAIN.test(text)) return [];
  const found = new Map<string, LookAlike>();
  const tell = (whole: string, all: readonly string[]) => {
    const word = whole.length > WORD_LENGTH ? `${whole.slice(0, WORD_LENGTH).toWellFormed()}…` : whole;
    for (const what of new Set(all)) found.set(`${word} ${what}`, { word, what });
  };
  for (const [chunk] of text.matchAll(CHUNK)) {
    if (PLAIN.test(chunk)) continue;
    const address = inAddress(chunk);
    tell(chunk, address);
    const told = new Set(address);
    for (const [word] of chunk.matchAll(WORD))
      tell(
        word,
        inWord(word).filter((what) => !told.has(what)),
      );
    tell(chunk, invisible(chunk));
  }
  return [...found.values()];
}

/** Whether it surely has nothing of the kind. */
export const looksPlain = (text: string): boolean => PLAIN.test(text);

const WORD_LENGTH = 60;
// `xn--` begins a host name whose letters are not the ones that one sees.
const PLAIN = /^(?!.*xn--)[\n\r\t -~]*$/is;
// Not by all that is white: a blank nobody sees may be within a word.
const CHUNK = /[^ \n\r\t"'<>()[\]{}|,;，、；「」『』（）《》“”«»]+/gu;
const WORD = /[\p{L}\p{M}\p{N}_]+/gu;
const LETTER = /\p{L}/u;
const POINT = (char: string) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;

const aLetter = (script: string | undefined) => {
  if (script === undefined) return "a sign";
  if (script === "rare") return "a letter of a rare script";
  const name = script.replaceAll("_", " ");
  return `${/^[AEO]/.test(name) ? "an" : "a"} ${name} letter`;
};

const looksLike = (char: string, other: string): string =>
  `"${char}" is ${POINT(char)}, ${aLetter(scriptOf(char))} that looks like "${other}"`;

/** Written without blanks between words, or joined to what follows: a Latin word stands right beside them. */
const BESIDE_LATIN: ReadonlySet<string | undefined> = new Set([
  ...["Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"],
  ...["Arabic", "Hebrew", "Georgian", "Malayalam", "Oriya"],
]);

/** Letters that look like those around them, which are of another alphabet. */
function inWord(word: string): string[] {
  if (PLAIN.test(word)) return [];
  const chars = [...word];
  const scripts = chars.map((char) => (LETTER.test(char) ? scriptOf(char) : undefined));
  const latin = scripts.filter((script) => script === "Latin").length;
  // Bold, script and the like: made for formulas, not for words.
  const styled = chars.flatMap((char, at) => {
    const plain = char.normalize("NFKC");
    return scripts[at] === undefined && LETTER.test(char) && /^[A-Za-z]$/.test(plain) && chars.length > 1
      ? [`"${char}" is ${POINT(char)}, a mathematical letter that looks like "${plain}"`]
      : [];
  });
  if (latin === 0) return [...styled, ...ofTwo(chars, scripts)];
  const isAlone = (at: number) => scripts[at - 1] === "Latin" && scripts[at + 1] === "Latin";
  const foreign = chars.flatMap((char, at) => {
    const looks = LATIN_LOOKS.get(char);
    if (looks === undefined || (BESIDE_LATIN.has(scripts[at]) && !isAlone(at))) return [];
    return [{ what: looksLike(char, looks), script: scripts[at] }];
  });
  const [first] = foreign;
  if (!first) return styled;
  const others = scripts.filter((script) => script === first.script).length;
  if (latin >= others) return [...styled, ...foreign.map(({ what }) => what)];
  const strangers = chars.flatMap((char) => {
    const twin = LOOKED_LIKE.get(char)?.find((letter) => scriptOf(letter) === first.script);
    return twin === undefined ? [] : [looksLike(char, twin)];
  });
  return [...styled, ...(strangers.length > 0 ? strangers : foreign.map(({ what }) => what))];
}

/** Without Latin letters: Greek and Cyrillic in one word. */
function ofTwo(chars: readonly string[], scripts: readonly (string | undefined)[]): string[] {
  if (!scripts.includes("Greek") || !scripts.includes("Cyrillic")) return [];
  return chars.flatMap((char, at) => {
    const looks = LATIN_LOOKS.get(char);
    return looks === undefined || scripts[at] !== "Greek" ? [] : [looksLike(char, looks)];
  });
}

const SLASHES = /[/\\?#]/;

/** Signs and letters of a URL or of a host name that are not what they look like. */
function inAddress(chunk: string): string[] {
  const found = separators(chunk);
  const isCertain = /[:：]\/\/|@/u.test(chunk);
  for (const label of hostOf(chunk)) {
    const shown = label.text.toLowerCase().startsWith("xn--") ? domainToUnicode(label.text) : label.text;
    if (shown === "" || PLAIN.test(shown)) continue;
    // In other words these are the hyphens and dashes of good typography.
    if (isCertain)
      for (const [dash] of shown.matchAll(DASHES))
        found.push(`"${dash}" is ${POINT(dash)}, which looks like "-" and is not`);
    const inLabel = ofLabel(shown, label.tld);
    if (shown !== label.text && inLabel.length > 0) found.push(`"${label.text}" is shown as "${shown}"`);
    found.push(...inLabel);
  }
  return found;
}

const LOOKS_LIKE_URL = /[:\uff1a\u02d0\ua789\u2236\u05c3\ufe55][/\\\uff0f\uff3c\u2044\u2215\u29f8\u2571]/u;

function separators(chunk: string): string[] {
  const chars = [...chunk];
  const isUrl = LOOKS_LIKE_URL.test(chunk);
  const isAscii = (char: string | undefined) => char !== undefined && /[A-Za-z0-9]/.test(char);
  return chars.flatMap((char, at) => {
    const [before, after] = [chars[at - 1], chars[at + 1]];
    // "1⁄2" is a number, and a full stop ends a sentence.
    const narrow = SEPARATOR_LOOKS.get(char);
    const counts =
      narrow === undefined
        ? (isUrl && isAscii(after)) || (char === "．" && isAscii(before) && isAscii(after))
        : isUrl ||
          (isAscii(before) && isAscii(after) && !(/\d/.test(before ?? "") && /\d/.test(after ?? "")));
    const looks = narrow ?? WIDE_SEPARATOR_LOOKS.get(char);
    return looks !== undefined && counts
      ? [`"${char}" is ${POINT(char)}, which looks like "${looks}" but is not`]
      : [];
  });
}

const DASHES = /[\u2010-\u2015\u2212\u02d7]/gu;

/** Nothing longer is one. */
const HOST_LENGTH = 300;

/** The labels of the host in a URL, an e-mail address or what could be a host name. */
function hostOf(chunk: string): { text: string; tld: string }[] {
  const [, scheme, behind = ""] = /^(.*?)[:：]\/\/(.*)$/su.exec(chunk) ?? [];
  const from = scheme === undefined ? chunk : behind;
  const authority = from.slice(0, from.search(SLASHES) < 0 ? undefined : from.search(SLASHES));
  const host = (authority.split("@").pop() ?? "").replace(/:\d*$/, "").replace(/[.:!。．！：]+$/u, "");
  const labels = host.split(scheme === undefined ? "." : /[.。．｡]/u);
  const tld = labels.at(-1) ?? "";
  if (host.length > HOST_LENGTH) return [];
  if (scheme === undefined && (labels.length < 2 || [...tld].length < 2 || labels.includes(""))) return [];
  return labels.map((text) => ({ text, tld }));
}

function ofLabel(label: string, tld: string): string[] {
  const chars = [...label];
  const scripts = new Set(chars.flatMap((char) => (LETTER.test(char) ? (scriptOf(char) ?? []) : [])));
  const [only] = scripts;
  const letters = chars.filter((char) => LETTER.test(char));
  const isDisguise =
    scripts.size === 1 &&
    only !== "Latin" &&
    letters.every((char) => LATIN_LOOKS.has(char)) &&
    // Whoever writes the whole address in an alphabet means it.
    (tld === label || ![...tld].some((char) => scriptOf(char) === only));
  const isMixed =
    scripts.has("Latin") && [...scripts].some((script) => script !== "Latin" && !EAST_ASIAN.has(script));
  return chars.flatMap((char) => {
    const plain = char.normalize("NFKC");
    if (plain !== char && /^[!-~]+$/.test(plain)) return [looksLike(char, plain)];
    const looks = LATIN_VARIANTS.get(char) ?? (isDisguise || isMixed ? LATIN_LOOKS.get(char) : undefined);
    return looks === undefined ? [] : [looksLike(char, looks)];
  });
}

const EAST_ASIAN: ReadonlySet<string> = new Set(["Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"]);

const IGNORABLE = /[\p{Default_Ignorable_Code_Point}\u2800]|(?![\n\r\t])\p{Cc}/u;
const UNSEEN = new RegExp(`${IGNORABLE.source}|[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]`, "gu");
const SELECTOR = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}\u180b-\u180d\u180f]/u;
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const PICTOGRAPH = /\p{Extended_Pictographic}|\p{Emoji_Modifier}/u;

/** Their words need joiners and non-joiners. */
const JOINING: ReadonlySet<string | undefined> = new Set([
  ...["Arabic", "Syriac", "Mongolian", "Devanagari", "Bengali", "Tamil", "Telugu", "Kannada", "Malayalam"],
  ...["Gujarati", "Gurmukhi", "Oriya", "Sinhala", "Khmer"],
]);

/** What nobody sees, and marks that are painted over each other. */
function invisible(chunk: string): string[] {
  const found: string[] = [];
  for (const { 0: char, index } of chunk.matchAll(UNSEEN)) {
    const before = lastOf(chunk.slice(Math.max(0, index - 2), index));
    const after = String.fromCodePoint(chunk.codePointAt(index + char.length) ?? 0);
    if (isOrdinary(char, before, after)) continue;
    found.push(
      BIDI.test(char)
        ? `${POINT(char)} is invisible and can turn round the order in which the text beside it is shown`
        : SELECTOR.test(char)
          ? `${POINT(char)} is an invisible variation selector, which nothing here needs`
          : `${POINT(char)} is invisible`,
    );
  }
  for (const { 0: marks, index } of chunk.matchAll(PILE)) {
    const base = lastOf(chunk.slice(Math.max(0, index - 2), index));
    const [first = ""] = marks;
    found.push(`${[...marks].length} marks are piled on "${base}", the first of them ${POINT(first)}`);
  }
  return found;
}

const lastOf = (text: string): string => [...text].at(-1) ?? "";

function isOrdinary(char: string, before: string, after: string): boolean {
  // They choose the colours of a pictograph, or make a key of a digit.
  if (char === "\ufe0e" || char === "\ufe0f") return /[\p{Extended_Pictographic}\d#*]/u.test(before);
  if (char === "\u200d" && PICTOGRAPH.test(after)) return before === "\ufe0f" || PICTOGRAPH.test(before);
  if (char === "\u200c" || char === "\u200d") return JOINING.has(scriptOf(before));
  return SELECTOR.test(char) && scriptOf(before) === "Mongolian";
}

// Two of the general ones are in Vietnamese words, four of their own in Tibetan ones.
const PILE = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3,}|\p{M}{6,}/gu;

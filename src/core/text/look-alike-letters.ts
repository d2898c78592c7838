// The letters of other alphabets that look like Latin ones, and the signs that look like those of a URL.
//
// Small by intent. Unicode's own list of confusables has 6,000 entries, most of them between letters that nobody mixes,
// and the packages that carry it are years behind. Full-width and mathematical letters are not here: normalization
// (NFKC) says what they look like.

/** A code point in hex and what it looks like, a pair after the other. */
const table = (pairs: string): ReadonlyMap<string, string> =>
  new Map(
    pairs
      .trim()
      .split(/\s+/)
      .map((pair) => [String.fromCodePoint(Number.parseInt(pair.slice(0, -1), 16)), pair.slice(-1)] as const),
  );

// In code points, so that nobody has to tell from each other here what looks the same.
export const LATIN_LOOKS = table(`
  430a 435e 43eo 440p 441c 443y 445x 44cb 433r 43fn 455s 456i 457i 458j 461w 475v 4afy 4bbh 4bde 4cfl 501d 51bq 51dw
  405S 406I 408J 410A 412B 415E 417Z 41aK 41cM 41dH 41eO 420P 421C 422T 423Y 425X 474V 4aeY 4c0I 50cG 51aQ 51cW
  3b1a 3b3y 3b7n 3b9i 3bak 3bdv 3bfo 3c1p 3c3o 3c4t 3c5u 3c7x 3c9w 3f2c 3f3j
  391A 392B 395E 396Z 397H 399I 39aK 39cM 39dN 39fO 3a1P 3a4T 3a5Y 3a7X
  563q 566q 570h 575j 578n 57du 581g 585o 54dU 555O
  13a0D 13a1R 13a2T 13a5i 13aaA 13abJ 13acE 13b3W 13b7M 13bbH 13bdY 13c0G 13c3Z 13cfb 13d9V 13daS 13deL 13dfC 13e2P
  13e6K 13f4B ab70D ab71R ab72T ab75i ab7aA ab7bJ ab7cE ab83W ab87M ab8bH ab8dY ab90G ab93Z ab9fb aba9V abaaS abaeL
  abafC abb2P abb6K
  2c93i 2c95k 2c9fo 2ca3p 2ca5c 2ca9y 2cadx
  a4d0B a4d1P a4d3D a4d4T a4d6G a4d7K a4d9J a4daC a4dcZ a4ddF a4dfM a4e0N a4e1L a4e2S a4e3R a4e6V a4e7H a4eaW a4ebX
  a4ecY a4eeA a4f0E a4f2I a4f3O a4f4U
  5e1o 5d5l 627l 647o 10e7y 101do d20o b20o
`);

/** The other way round, for a Latin letter in a word of another alphabet. */
export const LOOKED_LIKE: ReadonlyMap<string, readonly string[]> = Map.groupBy(
  LATIN_LOOKS.keys(),
  (letter) => LATIN_LOOKS.get(letter) ?? "",
);

/** Of the same alphabet, in host names alone: the International Phonetic Alphabet has them in its words. */
export const LATIN_VARIANTS = table("251a 261g 269i 28bv 1c0l 1c3l");

/** What stands for itself wherever it is: no script has it at this place of a word. */
export const SEPARATOR_LOOKS = table(
  "2044/ 2215/ 29f8/ 2571/ 2cc6/ 3033/ 29f5\\ fe68\\ 2024. a60e. a4f8. 6d4. 701. 702. 2d0: a789: 2236: 5c3: fe55: fe57! fe56? fe5f# fe6b@ fe6a%",
);

/** What Chinese and Japanese sentences end with, and what IDNA takes for a dot. */
export const WIDE_SEPARATOR_LOOKS = table("ff0f/ ff3c\\ ff0e. 3002. ff61. ff1a: ff1f? ff03# ff20@ ff05%");

const SCRIPTS = [
  ...[
    "Latin",
    "Cyrillic",
    "Greek",
    "Han",
    "Arabic",
    "Hebrew",
    "Hiragana",
    "Katakana",
    "Hangul",
    "Bopomofo",
    "Thai",
  ],
  ...[
    "Devanagari",
    "Bengali",
    "Tamil",
    "Telugu",
    "Kannada",
    "Malayalam",
    "Gujarati",
    "Gurmukhi",
    "Oriya",
    "Sinhala",
  ],
  ...[
    "Armenian",
    "Georgian",
    "Ethiopic",
    "Khmer",
    "Lao",
    "Myanmar",
    "Tibetan",
    "Thaana",
    "Syriac",
    "Mongolian",
  ],
  ...["Cherokee", "Coptic", "Lisu", "Tifinagh", "Deseret", "Glagolitic", "Canadian_Aboriginal"],
].map((name) => ({ name, has: new RegExp(`\\p{Script=${name}}`, "u") }));
const SHARED = /[\p{Script=Common}\p{Script=Inherited}]/u;

const known = new Map<string, string | undefined>();

/** Unicode's name of the script of a character, "rare" for one that hardly anybody writes; undefined: all share it. */
export function scriptOf(char: string): string | undefined {
  if (known.has(char)) return known.get(char);
  const script = SHARED.test(char) ? undefined : (SCRIPTS.find(({ has }) => has.test(char))?.name ?? "rare");
  // A text in Chinese has some thousand; one made to fill the memory has a million.
  if (known.size < 20_000) known.set(char, script);
  return script;
}

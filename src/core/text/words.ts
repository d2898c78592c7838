// Words as a search compares them: one form for everything that people write in several, in any script.

/** Letters from which no accent can be taken, final forms, and what different keyboards write for the same letter. */
const PLAIN = new Map(
  Object.entries({
    ...{ æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ħ: "h", ŧ: "t", ς: "σ" },
    ...{ ך: "כ", ם: "מ", ן: "נ", ף: "פ", ץ: "צ" },
    ...{ ٱ: "ا", ى: "ي", ی: "ي", ے: "ي", ک: "ك", ڪ: "ك", ں: "ن" },
    ...{ ة: "ه", ہ: "ه", ھ: "ه", ە: "ه", ۃ: "ه" },
  }),
);
const OF_PLAIN = new RegExp(`[${[...PLAIN.keys()].join("")}]`, "gu");

// What may be written or left out: accents, harakat, niqqud. In the scripts of India and Thailand marks are the
// vowels, in Japanese they make another letter: those stay.
const OPTIONAL_MARKS =
  /(?![\u3099\u309a])[[\p{Mn}\p{Me}]&&[\p{sc=Inherited}\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Arabic}\p{sc=Hebrew}\p{sc=Syriac}]]/gv;
/** The stretch of Arabic, and what is never seen: but for blanks without a width, and what parts words in Persian. */
const UNSEEN = /\u0640|(?![\u200b\u200c\ufeff])\p{Cf}/gu;
const NON_JOINER = "\u200c";
const FOREIGN_DIGIT = /(?![0-9])\p{Nd}/gu;
const WORD = /[\p{L}\p{N}\p{M}\p{Co}\u200c]+/gu;

/** Scripts without blanks between words. */
const UNSPACED = ["Han", "Hira", "Kana", "Bopo", "Thai", "Laoo", "Khmr", "Mymr"]
  .map((script) => `\\p{scx=${script}}`)
  .join("");
const OF_UNSPACED = new RegExp(`[${UNSPACED}]`, "u");
const RUN = new RegExp(`[${UNSPACED}]+|[^${UNSPACED}]+`, "gu");
/** A line may end within a word. */
const BLANK_WITHIN = new RegExp(`(?<=[${UNSPACED}])[\\s\\u200b]+(?=[${UNSPACED}])(?!\\p{M})`, "gu");
const SIGN = /\P{M}\p{M}*|\p{M}+/gu;

/** Words of one letter that are written together with the next: and, the, in, to, like, from, that. */
const PREFIXES = ["ال", ..."وفبلك", ..."הובלמשכ"];
const MOST_PREFIXES = 3;
const SHORTEST_WORD = 2;
/** Not of a word that is hardly longer: there it is a part of it. */
const ARTICLE = /^ال(?=...)/u;

/** Whether it holds signs of a script without blanks between words, in which each can be a word. */
export const isUnspaced = (text: string): boolean => OF_UNSPACED.test(text);

/** What an index has to hold for the words of a text to be found by `soughtWords`, parted by blanks. */
export function indexedWords(text: string): string {
  const words: string[] = [];
  const forms = new Set<string>();
  for (const [joined] of plain(text).matchAll(WORD)) {
    const word = joined.replaceAll(NON_JOINER, "");
    for (const [run] of word.matchAll(RUN))
      if (isUnspaced(run)) words.push(...pairs(run), lastSign(run));
      else words.push(run);
    // Behind the text, so that its words stand side by side as they do there.
    for (const form of without(word)) forms.add(form);
    if (joined.length === word.length) continue;
    for (const part of joined.split(NON_JOINER)) forms.add(part);
  }
  return [...words, ...forms].join(" ");
}

/**
 * What to look for in such an index, of a text without blanks: words side by side, of which the last is the beginning
 * of one. None where the text has none.
 */
export function soughtWords(text: string): string[] {
  const runs = [...plain(text).matchAll(WORD)].flatMap(
    ([joined]) => joined.replaceAll(NON_JOINER, "").match(RUN) ?? [],
  );
  // The word without its article is in the index wherever the word with it is.
  if (runs.length === 1) return runs.flatMap((run) => soughtRun(run.replace(ARTICLE, ""), true));
  return runs.flatMap((run, at) => soughtRun(run, at === runs.length - 1));
}

function soughtRun(run: string, isLast: boolean): string[] {
  if (!isUnspaced(run)) return [run];
  const found = pairs(run);
  return isLast && found.length > 0 ? found : [...found, lastSign(run)];
}

/** In the one form. @returns a text whose words are parted by anything else than letters, digits and marks */
function plain(text: string): string {
  return text
    .toWellFormed()
    .normalize("NFKD")
    .replace(UNSEEN, "")
    .toUpperCase() // first: "ß" is two letters
    .toLowerCase()
    .replace(OPTIONAL_MARKS, "")
    .normalize("NFC")
    .replace(OF_PLAIN, (letter) => PLAIN.get(letter) ?? letter)
    .replace(FOREIGN_DIGIT, decimalOf)
    .replace(BLANK_WITHIN, "");
}

/** The digits of a script follow each other from 0 to 9. */
function decimalOf(digit: string): string {
  const code = digit.codePointAt(0) ?? 0;
  let before = 0;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(code - before - 1))) before++;
  return String(before % 10);
}

const signsOf = (run: string): string[] => run.match(SIGN) ?? [];
const lastSign = (run: string): string => signsOf(run).at(-1) ?? "";
/** Each sign with the next: rarer than single ones, so that a search reads less. */
const pairs = (run: string): string[] => {
  const signs = signsOf(run);
  return signs.slice(1).map((sign, at) => `${signs[at]}${sign}`);
};

function* without(word: string, most = MOST_PREFIXES): Generator<string> {
  if (most === 0) return;
  for (const prefix of PREFIXES) {
    if (!word.startsWith(prefix) || word.length - prefix.length < SHORTEST_WORD) continue;
    const rest = word.slice(prefix.length);
    yield rest;
    yield* without(rest, most - 1);
  }
}

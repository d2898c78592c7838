// A search for words as a query of FTS5.

import { isUnspaced, soughtWords } from "../../core/text/words.ts";

/**
 * A query of FTS5 for events in which each word of `text` and of `target` begins a word; undefined where neither is
 * given. Whatever they hold is words, never syntax.
 * @param phraseOf a part without blanks as the index has it, as a phrase of FTS5; undefined: it holds no word
 */
export function matchOf(
  query: { text?: string; target?: string },
  phraseOf: (part: string) => string | undefined = phraseOfTerms,
): string | undefined {
  const parts = (["text", "target"] as const).flatMap((field) => {
    const given = query[field];
    if (given === undefined) return [];
    const column = field === "target" ? "target : " : "";
    // A sign between two words matches nothing: left out, "R&D - plans" is found.
    const phrases = given.split(/\s+/u).flatMap((part) => phraseOf(part) ?? []);
    // What begins another word is found wherever that is: it would only be looked for twice.
    const wanted = phrases.filter(
      (phrase, at) =>
        !phrases.some((other, place) =>
          other === phrase ? place < at : phrase.endsWith(BEGINNING) && other.startsWith(beginningOf(phrase)),
        ),
    );
    return (wanted.length > 0 ? wanted : [NO_WORD]).map((phrase) => column + phrase);
  });
  return parts.length > 0 ? parts.join(" AND ") : undefined;
}

/** Ends a phrase whose last word is the beginning of one. */
const BEGINNING = '" *';
const beginningOf = (phrase: string) => phrase.slice(0, -BEGINNING.length);

/** Which no tokenizer leaves anything of. */
const NO_WORD = '" "';

const phraseOfTerms = (part: string): string | undefined => {
  const words = soughtWords(part);
  const last = words.at(-1);
  if (last === undefined) return undefined;
  // A single letter behind another word, as in "R&D", begins a word of nearly every text: it is taken for all of one.
  const isWhole = words.length > 1 && last.length === 1 && !isUnspaced(last);
  return `"${words.join(" ")}${isWhole ? '"' : BEGINNING}`;
};

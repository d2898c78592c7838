// A word search as an FTS5 query.

import { isUnspaced, soughtWords } from "../../core/text/words.ts";

/**
 * An FTS5 query for events in which each word of `text` and of `target` is the beginning of a word; undefined if
 * neither is given. The input is always words, never syntax.
 * @param phraseOf turns a part without blanks into an FTS5 phrase as the index has it; undefined: it holds no word
 */
export function matchOf(
  query: { text?: string; target?: string },
  phraseOf: (part: string) => string | undefined = phraseOfTerms,
): string | undefined {
  const parts = (["text", "target"] as const).flatMap((field) => {
    const given = query[field];
    if (given === undefined) return [];
    const column = field === "target" ? "target : " : "";
    // A sign on its own between two words would match nothing. It is left out, so that "R&D - plans" is found.
    const phrases = given.split(/\s+/u).flatMap((part) => phraseOf(part) ?? []);
    // The beginning of another word is found wherever that word is, so it need not be looked for twice.
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

/** Ends a phrase whose last word is only the beginning of a word. */
const BEGINNING = '" *';
const beginningOf = (phrase: string) => phrase.slice(0, -BEGINNING.length);

/** A character that every tokenizer drops. */
const NO_WORD = '" "';

const phraseOfTerms = (part: string): string | undefined => {
  const words = soughtWords(part);
  const last = words.at(-1);
  if (last === undefined) return undefined;
  // A single letter at the end, as in "R&D", begins a word in nearly every text, so it is taken as a whole word.
  const isWhole = words.length > 1 && last.length === 1 && !isUnspaced(last);
  return `"${words.join(" ")}${isWhole ? '"' : BEGINNING}`;
};

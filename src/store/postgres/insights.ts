// The searchable events, by the words of src/core/text/words.ts, with the same results as SQLite's full-text index.
// A phrase matches as a substring of the stored words, which are separated by single blanks; the index only rules out
// rows that cannot contain it.

import type { SearchTerms } from "../../contract/searchable.ts";
import type { SearchQuery } from "../../contract/store.ts";
import { isUnspaced, soughtWords } from "../../core/text/words.ts";
import type { Value } from "./connection.ts";

/** Of 2 KB that an index entry allows. A longer word is looked up by its beginning, then compared. */
const LONGEST_LEXEME = 200;
/** PostgreSQL allows 1 MB of them per row. */
const MOST_LEXEME_BYTES = 900_000;
/** In the year 2248, the limit of SQLite's keys. */
const LATEST_MS = 8.7e12;

export const momentOf = (time: string): number =>
  Math.floor(Math.min(Math.max(Date.parse(time), 0), LATEST_MS));

export function insightRow(insight: { sequence: number; time: string; terms: SearchTerms; size: number }): {
  text: string;
  values: Value[];
} {
  const { sequence, time, terms, size } = insight;
  return {
    text: `INSERT INTO insights (sequence, at_ms, time, type, confidence, content, target, words, size)
           VALUES ($1, $2, $3, $4, $5, $6, $7, array_to_tsvector($8::text[]), $9)`,
    values: [
      ...[sequence, momentOf(time), time, terms.type, terms.confidence],
      ...[` ${terms.content} `, ` ${terms.target} `],
      lexemesOf(`${terms.content} ${terms.target}`),
      size,
    ],
  };
}

function lexemesOf(words: string): string[] {
  const lexemes = new Set<string>();
  let bytes = 0;
  for (const word of words.split(" ")) {
    const lexeme = beginningOf(word);
    if (lexeme === "" || lexemes.has(lexeme)) continue;
    bytes += Buffer.byteLength(lexeme) + 8;
    if (bytes > MOST_LEXEME_BYTES) break;
    lexemes.add(lexeme);
  }
  return [...lexemes];
}

/** Cuts at whole characters, so that the result is valid text. */
const beginningOf = (word: string): string =>
  word.length <= LONGEST_LEXEME
    ? word
    : [...word.slice(0, LONGEST_LEXEME)]
        .join("")
        .toWellFormed()
        .replace(/\ufffd$/, "");

interface Phrase {
  column: "target" | "either";
  words: string[];
  /** Whether the last word is whole; otherwise it is a prefix. */
  isWhole: boolean;
}

/** The same phrases as for SQLite: each word of `text` and of `target` is a prefix. undefined: neither is given. */
function phrasesOf(query: { text?: string; target?: string }): (Phrase | undefined)[] | undefined {
  const fields = [
    { column: "either", given: query.text },
    { column: "target", given: query.target },
  ] as const;
  if (fields.every(({ given }) => given === undefined)) return undefined;
  return fields.flatMap(({ column, given }): (Phrase | undefined)[] => {
    if (given === undefined) return [];
    const phrases = given.split(/\s+/u).flatMap((part): Phrase[] => {
      const words = soughtWords(part);
      const last = words.at(-1);
      if (last === undefined) return [];
      // A single letter after another word, as in "R&D", starts a word of nearly every text: it must be a whole word.
      return [{ column, words, isWhole: words.length > 1 && last.length === 1 && !isUnspaced(last) }];
    });
    // It contains no word, so nothing can match.
    return phrases.length > 0 ? phrases : [undefined];
  });
}

/** Newest first. @returns undefined: nothing can match */
export function searchStatement(query: SearchQuery): { text: string; values: Value[] } | undefined {
  const { type, minConfidence, since, until, limit, maxLength } = query;
  const values: Value[] = [];
  const value = (given: Value, cast: string) => `$${values.push(given)}::${cast}`;
  const conditions: string[] = [];
  for (const phrase of phrasesOf(query) ?? []) {
    if (!phrase) return undefined;
    const part = ` ${phrase.words.join(" ")}${phrase.isWhole ? " " : ""}`;
    const sought = value(part, "text");
    conditions.push(
      phrase.column === "target"
        ? `strpos(i.target, ${sought}) > 0`
        : `(strpos(i.content, ${sought}) > 0 OR strpos(i.target, ${sought}) > 0)`,
    );
    const lexemes = phrase.words.map((word, at) => {
      const isBeginning = (at === phrase.words.length - 1 && !phrase.isWhole) || word.length > LONGEST_LEXEME;
      return `${quoted(beginningOf(word))}${isBeginning ? ":*" : ""}`;
    });
    conditions.push(`i.words @@ ${value(lexemes.join(" & "), "tsquery")}`);
  }
  const given = (condition: (sql: string) => string, what: Value | undefined, cast: string) => {
    if (what !== undefined) conditions.push(condition(value(what, cast)));
  };
  given((sql) => `i.type = ${sql}`, type, "text");
  given((sql) => `i.confidence >= ${sql}`, minConfidence, "float8");
  given((sql) => `i.at_ms >= ${sql}`, since === undefined ? undefined : momentOf(since), "bigint");
  given((sql) => `i.at_ms <= ${sql}`, until === undefined ? undefined : momentOf(until), "bigint");
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  const most = value(maxLength ?? Number.MAX_SAFE_INTEGER, "bigint");
  const text = `
    SELECT f.sequence, f.time, coalesce(f.data, e.data) AS data FROM (
      SELECT *, sum(size) OVER (ORDER BY at_ms DESC, sequence DESC) - size AS before FROM (
        SELECT sequence, at_ms, time, data, size FROM insights i ${where}
        ORDER BY at_ms DESC, sequence DESC LIMIT ${value(limit, "bigint")}) found) f
    LEFT JOIN events e ON f.data IS NULL AND e.sequence = f.sequence
    WHERE f.before < ${most} ORDER BY f.at_ms DESC, f.sequence DESC`;
  return { text, values };
}

const quoted = (lexeme: string): string => `'${lexeme.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

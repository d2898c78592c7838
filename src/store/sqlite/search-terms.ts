// The index of the words of the searchable events, and its making anew of what an earlier version indexed in another way: the newest
// first, in small transactions while the daemon works. Until that is done what is left is found as it was before.

import type { Database } from "better-sqlite3";
import { type SearchTerms, searchTermsOf } from "../../contract/searchable.ts";
import { parseJson } from "../../core/exact-json.ts";
import { matchOf } from "./search-match.ts";

// What one transaction takes anew: some ten milliseconds, with the merging that SQLite does at times.
const EVENTS_AT_ONCE = 10;
const CHARACTERS_AT_ONCE = 20_000;

const FROM = "insight_terms_from";

export interface TermIndex {
  /** Inside a transaction. */
  add(key: number, index: Pick<SearchTerms, "content" | "target">): void;
  /** Those up to a key. Inside a transaction. */
  remove(upTo: number): void;
  /** Takes some more of the older ones over. Inside a transaction. */
  renew(): void;
  /** Whether there are older ones. */
  hasOlder(): boolean;
}

export const createTermIndex = (db: Database): TermIndex => {
  // Which replaces: a key that came late, among the older ones, is met again.
  const insert = db.prepare<[number, string, string]>(
    "INSERT OR REPLACE INTO insight_terms (rowid, content, target) VALUES (?, ?, ?)",
  );
  const remove = db.prepare<[number]>("DELETE FROM insight_terms WHERE rowid <= ?");
  const putFrom = db.prepare<[number]>(`INSERT OR REPLACE INTO meta (key, value) VALUES ('${FROM}', ?)`);
  const older = db.prepare<[number], { key: number; data: string | null }>(
    `SELECT i.key, coalesce(d.data, e.data) AS data FROM insights i LEFT JOIN insight_data d ON d.key = i.key
     LEFT JOIN events e ON e.sequence = i.sequence WHERE i.key < ? ORDER BY i.key DESC LIMIT ${EVENTS_AT_ONCE}`,
  );
  const from = createFrom(db);

  const terms: TermIndex = {
    add(key, { content, target }) {
      insert.run(key, content, target);
    },
    remove(upTo) {
      remove.run(upTo);
      if (from() !== undefined) db.prepare("DELETE FROM insight_words WHERE rowid <= ?").run(upTo);
    },
    renew() {
      const before = from();
      if (before === undefined) return;
      let last: number | undefined;
      let characters = 0;
      for (const { key, data } of older.all(before)) {
        terms.add(key, searchTermsOf(dataOf(data)));
        last = key;
        characters += data?.length ?? 0;
        if (characters > CHARACTERS_AT_ONCE) break;
      }
      if (last !== undefined) putFrom.run(last);
      else db.exec(`DROP TABLE insight_words; DELETE FROM meta WHERE key = '${FROM}'`);
    },
    hasOlder: () => from() !== undefined,
  };
  const before = from();
  if (before !== undefined && older.get(before) === undefined) db.transaction(terms.renew).immediate();
  return terms;
};

/** In `insight_words` alone are those before this key; undefined: there is no such table. */
const createFrom = (db: Database) => {
  const hasTable = db.prepare<[], number>("SELECT 1 FROM sqlite_schema WHERE name = 'insight_words'").pluck();
  const readFrom = db.prepare<[], number>(`SELECT value FROM meta WHERE key = '${FROM}'`).pluck();
  return () => (hasTable.get() === undefined ? undefined : (readFrom.get() ?? Number.MAX_SAFE_INTEGER));
};

/** @returns SQL with the column `key`, for those with the words of a query; undefined: it names none */
export const createFoundTerms = (db: Database) => {
  const from = createFrom(db);
  return (query: {
    text?: string;
    target?: string;
  }): { sql: string; values: (string | number)[] } | undefined => {
    const match = matchOf(query);
    if (match === undefined) return undefined;
    const sql = "SELECT rowid AS key FROM insight_terms WHERE insight_terms MATCH ?";
    const before = from();
    if (before === undefined) return { sql, values: [match] };
    return {
      sql: `${sql} UNION SELECT rowid FROM insight_words WHERE insight_words MATCH ? AND rowid < ?`,
      values: [match, matchOf(query, phraseOfWords) ?? "", before],
    };
  };
};

const dataOf = (data: string | null): unknown => {
  if (data === null) return undefined;
  try {
    return parseJson(data);
  } catch (error) {
    // Nested so deeply that only its text can be kept: it has no words to be found by, and the next ones have.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

// As the earlier index had them: cut by SQLite, and each sign of scripts without blanks for itself.
const NOT_OF_WORDS = /[^\p{L}\p{N}\p{Co}\p{M}]+/gu;
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/gu;

const phraseOfWords = (part: string): string | undefined => {
  const phrase = part.toWellFormed().replace(NOT_OF_WORDS, " ").replace(UNSPACED, " $& ").trim();
  return phrase === "" ? undefined : `"${phrase}" *`;
};

// The word index of the searchable events. Rows that an earlier version indexed differently are indexed again: newest
// first, in small transactions while the daemon works. Until then they are found through the old index.

import type { Database } from "better-sqlite3";
import { type SearchTerms, searchTermsOf } from "../../contract/searchable.ts";
import { parseJson } from "../../core/exact-json.ts";
import { matchOf } from "./search-match.ts";

// Rows per transaction: some ten milliseconds, including the merges that SQLite does at times.
const EVENTS_AT_ONCE = 10;
const CHARACTERS_AT_ONCE = 20_000;

const FROM = "insight_terms_from";

export interface TermIndex {
  /** Inside a transaction. */
  add(key: number, index: Pick<SearchTerms, "content" | "target">): void;
  /** The rows up to a key. Runs inside a transaction. */
  remove(upTo: number): void;
  /** Moves some more of the older rows. Runs inside a transaction. */
  renew(): void;
  /** Whether older rows are left. */
  hasOlder(): boolean;
}

export const createTermIndex = (db: Database): TermIndex => {
  // REPLACE: a key that arrived late, among the older ones, is met again.
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

/** Only `insight_words` has the keys below this one; undefined: that table does not exist. */
const createFrom = (db: Database) => {
  const hasTable = db.prepare<[], number>("SELECT 1 FROM sqlite_schema WHERE name = 'insight_words'").pluck();
  const readFrom = db.prepare<[], number>(`SELECT value FROM meta WHERE key = '${FROM}'`).pluck();
  return () => (hasTable.get() === undefined ? undefined : (readFrom.get() ?? Number.MAX_SAFE_INTEGER));
};

/** @returns SQL with the column `key`, for the events that match a query; undefined: the query has no words */
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
    // Nested too deeply to be more than text: it has no words to index, but the rows after it do.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

// As the earlier index has them: split by SQLite, with each sign of scripts without blanks on its own.
const NOT_OF_WORDS = /[^\p{L}\p{N}\p{Co}\p{M}]+/gu;
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/gu;

const phraseOfWords = (part: string): string | undefined => {
  const phrase = part.toWellFormed().replace(NOT_OF_WORDS, " ").replace(UNSPACED, " $& ").trim();
  return phrase === "" ? undefined : `"${phrase}" *`;
};

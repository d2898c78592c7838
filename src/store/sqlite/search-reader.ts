// Searches the searchable events. Needs only a read connection, such as that of src/store/sqlite/search-thread.ts.

import type { Database } from "better-sqlite3";
import type { FoundEvent, SearchQuery } from "../../contract/store.ts";
import { takeLength } from "../take-length.ts";
import { createFoundTerms } from "./search-terms.ts";

/** How many events of one millisecond get distinct keys; further ones use keys of the next millisecond. */
export const PER_MS = 1024;
/** In the year 2248: a key must be an exact number. */
const LATEST_MS = 8.7e12;

/** Newest first. */
export type SearchReader = (query: SearchQuery) => FoundEvent[];

export const createSearchReader = (db: Database): SearchReader => {
  const found = createFoundTerms(db);
  const statements = new Map<string, ReturnType<typeof prepare>>();
  const prepare = (sql: string) => db.prepare<(string | number)[], FoundEvent>(sql);
  return (query) => {
    const { sql, values } = selectOf(query, found(query));
    const statement = statements.get(sql) ?? prepare(sql);
    statements.set(sql, statement);
    return takeLength(statement.iterate(...values), query.maxLength, ({ data }) => data.length).taken;
  };
};

export const firstKey = (ms: number) => Math.floor(Math.min(Math.max(ms, 0), LATEST_MS)) * PER_MS;

function selectOf(
  query: SearchQuery,
  found: ReturnType<ReturnType<typeof createFoundTerms>>,
): { sql: string; values: (string | number)[] } {
  const { type, minConfidence, since, until, limit } = query;
  const conditions: string[] = [];
  const values = found?.values ?? [];
  const where = (condition: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  const key = found ? "w.key" : "i.key";
  where("i.type = ?", type);
  where("i.confidence >= ?", minConfidence);
  where(`${key} >= ?`, since === undefined ? undefined : firstKey(Date.parse(since)));
  where(`${key} < ?`, until === undefined ? undefined : firstKey(Date.parse(until)) + PER_MS);
  const from = found ? `(${found.sql}) w CROSS JOIN insights i ON i.key = w.key` : "insights i";
  const sql = `SELECT i.sequence, i.time, coalesce(d.data, e.data) AS data FROM ${from}
    LEFT JOIN insight_data d ON d.key = i.key LEFT JOIN events e ON e.sequence = i.sequence
    ${conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : ""} ORDER BY ${key} DESC LIMIT ?`;
  return { sql, values: [...values, limit] };
}

// Writes as lists show them: read without their long fields, so that thousands are cheap.

import type { Database } from "better-sqlite3";
import type { WriteQuery, WriteSummary } from "../../contract/writes.ts";
import { LAST_ID, LONGEST_READ, SHORT_FIELDS, type SummaryRow, toSummary } from "../summaries.ts";
import { takeLength } from "../take-length.ts";

// To reach the columns behind a long text, SQLite walks over its pages.
const WALKED_AT_ONCE = 8 * 2 ** 20;

const COLUMNS = `id, operation, service, state, digest, target, destructive, approval, reason, agent, proposed_at,
  expires_at, decided_at, executing_at, finished_at, note, outcome, body_removed_at,
  ${["request", "precondition", "result"]
    .map((column) => `CASE WHEN octet_length(${column}) <= ${LONGEST_READ} THEN ${column} END AS ${column}`)
    .join(", ")},
  octet_length(request) + octet_length(preview) + ifnull(octet_length(result), 0) AS stored`;

/** The query's `maxLength` is compared with the length of the summaries. */
export const createReadSummaries = (
  db: Database,
  /** Undefined: all of them. */
  idsOf: (query: WriteQuery) => string[] | undefined,
): ((query: WriteQuery) => WriteSummary[]) => {
  const one = db.prepare<[string], SummaryRow>(`SELECT ${COLUMNS} FROM writes WHERE id = ?`);
  const newest = db.prepare<[string, number], SummaryRow>(
    `SELECT ${COLUMNS} FROM writes WHERE id < ? ORDER BY id DESC LIMIT ?`,
  );
  function* rowsOf(ids: readonly string[]): Generator<SummaryRow> {
    for (const id of ids) {
      const row = one.get(id);
      if (row) yield row;
    }
  }
  return (query) => {
    const { after = LAST_ID, limit, maxLength = Number.POSITIVE_INFINITY } = query;
    const ids = idsOf(query);
    const rows = ids ? rowsOf(ids) : newest.iterate(after, limit);
    return takeLength(rows, 1, (row) =>
      Math.max(row.stored / WALKED_AT_ONCE, ((row.reason?.length ?? 0) + SHORT_FIELDS) / maxLength),
    ).taken.map(toSummary);
  };
};

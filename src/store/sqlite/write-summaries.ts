// Writes as lists show them: read without their long fields, so that thousands are cheap.

import type { Database } from "better-sqlite3";
import { aboutOf } from "../../contract/write-about.ts";
import type { WriteQuery, WriteResult, WriteSummary } from "../../contract/writes.ts";
import { parseJson } from "../../core/exact-json.ts";
import { takeLength } from "../take-length.ts";
import type { WriteRow } from "./write-rows.ts";

/**
 * Longer values stay on the disk: a list has no room for them, and a page of a thousand must not cost their length.
 */
const LONGEST_READ = 4096;
// To reach the columns behind a long text, SQLite walks over its pages.
const WALKED_AT_ONCE = 8 * 2 ** 20;

type SummaryRow = Pick<
  WriteRow,
  | "id"
  | "operation"
  | "service"
  | "state"
  | "digest"
  | "target"
  | "destructive"
  | "approval"
  | "reason"
  | "agent"
  | "proposed_at"
  | "expires_at"
  | "decided_at"
  | "executing_at"
  | "finished_at"
  | "note"
  | "outcome"
  | "body_removed_at"
> & {
  /** Null if it is long. */
  request: string | null;
  precondition: string | null;
  result: string | null;
  /** Of the whole row, in bytes. */
  stored: number;
};

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

/** Sorts after every ULID. */
export const LAST_ID = "~";
/** Roughly the length of all fields of fixed length together, in characters. */
const SHORT_FIELDS = 800;

function toSummary(row: SummaryRow): WriteSummary {
  const request =
    row.request === null || row.body_removed_at !== null
      ? undefined
      : (parseJson(row.request) as { input: unknown }); // as stored
  const result = row.result === null ? null : (parseJson(row.result) as WriteResult); // as stored
  return {
    id: row.id,
    operation: row.operation,
    service: row.service,
    state: row.state,
    about: aboutOf({
      operation: row.operation,
      input: request?.input,
      before: row.precondition === null ? null : parseJson(row.precondition),
    }),
    digest: row.digest,
    target: row.target,
    destructive: row.destructive === 1,
    approval: row.approval,
    reason: row.reason,
    agent: row.agent,
    proposedAt: row.proposed_at,
    expiresAt: row.expires_at,
    decidedAt: row.decided_at,
    executingAt: row.executing_at,
    finishedAt: row.finished_at,
    note: row.note,
    outcome: row.outcome,
    bodyRemovedAt: row.body_removed_at,
    error: result?.error ?? null,
  };
}

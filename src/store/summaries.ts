// A write as a list shows it, from its row without what may be long of it.

import { aboutOf } from "../contract/write-about.ts";
import type { WriteResult, WriteSummary } from "../contract/writes.ts";
import { parseJson } from "../core/exact-json.ts";
import type { WriteRow } from "./write-rows.ts";

/** Longer values stay on the disk: a list has no room for them, and a page of a thousand must not cost their length. */
export const LONGEST_READ = 4096;

export type SummaryRow = Pick<
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

/** Sorts after every ULID. */
export const LAST_ID = "~";
/** About what the fields of a fixed length take together, in characters. */
export const SHORT_FIELDS = 800;

export function toSummary(row: SummaryRow): WriteSummary {
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

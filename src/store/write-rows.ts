// Maps a write to a row of its table, and back.

import type { Actor } from "../contract/actor.ts";
import type { Service } from "../contract/new-event.ts";
import type { SignedApproval } from "../contract/signing.ts";
import type { WriteTransition } from "../contract/write-store.ts";
import type {
  Account,
  Approval,
  PreviewRequest,
  Write,
  WriteResult,
  WriteState,
} from "../contract/writes.ts";
import { parseJson, stringifyJson } from "../core/exact-json.ts";

/** Booleans as 0 and 1, structured values as JSON. */
export interface WriteRow {
  id: string;
  operation: string;
  service: Service;
  state: WriteState;
  request: string;
  digest: string;
  preview: string;
  precondition: string | null;
  target: string;
  idempotent: number;
  destructive: number;
  approval: Approval;
  reason: string | null;
  agent: string | null;
  idempotency_key: string | null;
  account: string | null;
  token_hash: string | null;
  proposed_at: string;
  expires_at: string;
  shown_at: string | null;
  decided_at: string | null;
  decided_by: string | null;
  /** JSON; null: nobody signed. */
  signed_by: string | null;
  note: string | null;
  executing_at: string | null;
  finished_at: string | null;
  attempts: number;
  result: string | null;
  outcome: "succeeded" | "failed" | null;
  body_removed_at: string | null;
  /** The sequence of the audit row of its approval. */
  approval_order: number | null;
}

/** For a write that is not decided. */
export type NewRow = Omit<WriteRow, "approval_order" | "body_removed_at" | "signed_by">;

/** What a transition sets; null leaves the column as it is, since no step undoes what an earlier one recorded. */
export type PatchRow = Pick<
  WriteRow,
  "decided_at" | "decided_by" | "signed_by" | "note" | "executing_at" | "finished_at" | "result" | "outcome"
> & { attempts: number | null };

/** @param tokenHash hash of the token that an agent needs to withdraw it; null: any agent can */
export const toRow = (write: Write, tokenHash: string | null): NewRow => ({
  id: write.id,
  operation: write.operation,
  service: write.service,
  state: write.state,
  request: write.request,
  digest: write.digest,
  preview: stringifyJson(write.preview),
  precondition: write.precondition,
  target: write.target,
  idempotent: write.idempotent ? 1 : 0,
  destructive: write.destructive ? 1 : 0,
  approval: write.approval,
  reason: write.reason,
  agent: write.agent,
  idempotency_key: write.idempotencyKey,
  account: jsonOrNull(write.account),
  token_hash: tokenHash,
  proposed_at: write.proposedAt,
  expires_at: write.expiresAt,
  shown_at: write.shownAt,
  attempts: write.attempts,
  decided_at: write.decidedAt,
  decided_by: jsonOrNull(write.decidedBy),
  note: write.note,
  executing_at: write.executingAt,
  finished_at: write.finishedAt,
  result: jsonOrNull(write.result),
  outcome: write.outcome,
});

export const toPatchRow = (patch: WriteTransition["patch"]): PatchRow => ({
  decided_at: patch.decidedAt ?? null,
  decided_by: jsonOrNull(patch.decidedBy ?? null),
  signed_by: jsonOrNull(patch.signedBy ?? null),
  note: patch.note ?? null,
  executing_at: patch.executingAt ?? null,
  finished_at: patch.finishedAt ?? null,
  attempts: patch.attempts ?? null,
  result: jsonOrNull(patch.result ?? null),
  outcome: patch.outcome ?? null,
});

export const toWrite = (row: WriteRow): Write => ({
  id: row.id,
  operation: row.operation,
  service: row.service,
  state: row.state,
  request: row.request,
  digest: row.digest,
  // `toRow` and `toPatchRow` wrote this and the two below.
  preview: parseJson(row.preview) as PreviewRequest,
  precondition: row.precondition,
  target: row.target,
  idempotent: row.idempotent === 1,
  destructive: row.destructive === 1,
  approval: row.approval,
  reason: row.reason,
  agent: row.agent,
  idempotencyKey: row.idempotency_key,
  account: row.account === null ? null : (parseJson(row.account) as Account),
  isBound: row.token_hash !== null,
  proposedAt: row.proposed_at,
  expiresAt: row.expires_at,
  shownAt: row.shown_at,
  decidedAt: row.decided_at,
  decidedBy: row.decided_by === null ? null : (parseJson(row.decided_by) as Actor),
  signedBy: row.signed_by === null ? [] : (parseJson(row.signed_by) as SignedApproval[]),
  note: row.note,
  executingAt: row.executing_at,
  finishedAt: row.finished_at,
  attempts: row.attempts,
  result: row.result === null ? null : (parseJson(row.result) as WriteResult),
  outcome: row.outcome,
  bodyRemovedAt: row.body_removed_at,
});

const jsonOrNull = (value: unknown): string | null => (value === null ? null : stringifyJson(value));

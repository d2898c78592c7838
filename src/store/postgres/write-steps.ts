// One step of a write: its event, its audit row, and the counters. All of it runs inside a transaction.

import type { Actor } from "../../contract/actor.ts";
import { type Columns, coversOf, eventDigest, withoutNulls } from "../../contract/audit-cover.ts";
import type { WriteState } from "../../contract/writes.ts";
import { canonicalRecord } from "../../core/canonical-json.ts";
import { prepareEvent } from "../prepared.ts";
import { bytesOf, isOpen, NEXUSD, type Step, stepEvent } from "../steps.ts";
import { toPatchRow, toWrite, type WriteRow } from "../write-rows.ts";
import { appendAudit } from "./audit.ts";
import type { Transaction } from "./transaction.ts";
import { MOVE, type Move } from "./write-statements.ts";

const FREE = { notExpiredAt: null, tokenHash: null, signedBefore: null } as const;

export const move = (transaction: Transaction, given: Move): Promise<WriteRow | undefined> =>
  transaction.named<WriteRow, Move & { approvalOrder: number | null }>(MOVE, {
    ...given,
    approvalOrder: transaction.head.audit_rows === null ? null : transaction.head.audit_rows + 1,
  });

/**
 * Appends what every step needs.
 * @param set the columns that the step changed
 * @param mark what happened if the state stays the same
 */
export async function record(
  transaction: Transaction,
  from: WriteState | null,
  row: WriteRow,
  { at, actor, detail, set, now }: { at: string; actor: Actor; detail: string; set: Columns; now: number },
  mark?: "signed",
): Promise<Step> {
  const after = toWrite(row);
  const { state } = after;
  const event = transaction.append(prepareEvent(stepEvent(after, at, actor, mark)), now);
  if (!event) throw new Error("the event of a step of a write was taken for a repetition");
  // Requests are counted during execution: their number is known with the result.
  const attempts = from === "executing" ? { attempts: row.attempts } : {};
  const stored = transaction.row(event.sequence);
  const told = stored && { sequence: event.sequence, digest: eventDigest(stored) };
  const covers = coversOf(withoutNulls({ ...set, ...attempts }), told);
  const entry = await appendAudit(transaction, {
    at,
    action: mark ?? state,
    write: after,
    actor,
    detail,
    covers,
  });
  const { head } = transaction;
  const opened = (isOpen(state) ? 1 : 0) - (from !== null && isOpen(from) ? 1 : 0);
  head.open_writes += opened;
  head.open_bytes += opened * bytesOf(row);
  head.writes[state]++;
  if (from !== null) head.writes[from]--;
  return { write: after, from, event, audit: entry };
}

/** Approves a write in the transaction that proposes it. */
export async function approveNew(
  transaction: Transaction,
  row: WriteRow,
  { actor, at, now }: { actor: Actor; at: string; now: number },
): Promise<Step | undefined> {
  const set = toPatchRow({ decidedAt: at, decidedBy: actor });
  const approved = await move(transaction, { ...set, ...FREE, id: row.id, from: "proposed", to: "approved" });
  const detail = canonicalRecord({ operation: row.operation });
  return approved && record(transaction, "proposed", approved, { at, actor, detail, set, now });
}

export async function expire(
  transaction: Transaction,
  due: readonly { id: string }[],
  { at, now }: { at: string; now: number },
): Promise<Step[]> {
  const steps: Step[] = [];
  for (const { id } of due) {
    const set = toPatchRow({ finishedAt: at });
    const row = await move(transaction, { ...set, ...FREE, id, from: "proposed", to: "expired" });
    if (!row) continue;
    const detail = canonicalRecord({ operation: row.operation, expiresAt: row.expires_at });
    steps.push(await record(transaction, "proposed", row, { at, actor: NEXUSD, detail, set, now }));
  }
  return steps;
}

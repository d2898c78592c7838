// Signing off the audit log by an operator, and removing what was signed off.

import { type Break, breakBefore, readCheckpoint } from "../../contract/audit.ts";
import type { Store } from "../../contract/store.ts";
import { type AuditRow, TRANSITIONS, type WriteState } from "../../contract/writes.ts";
import { canonicalRecord } from "../../core/canonical-json.ts";
import { isoTime } from "../../core/clock.ts";
import { NEXUSD } from "../steps.ts";
import { appendAudit, auditBeginning, auditRow, newestMark, readAudit } from "./audit.ts";
import type { Transaction } from "./transaction.ts";

// A small transaction, so that commits and readers get their turn in between.
const PRUNED_AT_ONCE = 500;
const AHEAD_MS = 86_400_000;

export async function signOff(
  transaction: Transaction,
  ...[{ sequence, hash, note }, actor, at]: Parameters<Store["signOffAudit"]>
): ReturnType<Store["signOffAudit"]> {
  const last = await auditRow(transaction, sequence);
  if (!last) return undefined;
  if (last.hash !== hash) return { kind: "hash_mismatch" };
  const before = await newestMark(transaction, "checkpoint");
  if (before && (readCheckpoint(before)?.to ?? 0) >= sequence) return { kind: "covered", row: before };
  const first = await transaction.one<{ min: number | null }>("SELECT min(sequence) FROM audit");
  const from = first?.min ?? 1;
  const detail = canonicalRecord({ from, to: sequence, rows: sequence - from + 1, note });
  const write = { id: "", digest: hash };
  return {
    kind: "signed",
    row: await appendAudit(transaction, { at, action: "checkpoint", write, actor, detail }),
  };
}

/** The oldest rows that may be removed. @throws Error if the chain is broken: the evidence must not be removed */
async function removable(
  transaction: Transaction,
  to: number,
  before: string,
  at: string,
): Promise<AuditRow[]> {
  const beginning = await auditBeginning(transaction);
  if ("why" in beginning) throw broken(beginning);
  const candidates = await readAudit(transaction, { after: beginning.chain.rows, limit: PRUNED_AT_ONCE });
  const states = await transaction.query<{ id: string; state: WriteState }>(
    "SELECT id, state FROM writes WHERE id = ANY($1::text[])",
    [[...new Set(candidates.map(({ writeId }) => writeId))]],
  );
  const stateOf = new Map(states.map(({ id, state }) => [id, state]));
  const rows: AuditRow[] = [];
  const ahead = isoTime(Date.parse(at) + AHEAD_MS);
  let removed = 0;
  let { chain } = beginning;
  for (const row of candidates) {
    // The first row that must stay also keeps all rows after it, since a chain has no holes.
    const isAhead = row.at > ahead;
    if (row.sequence > to || (row.at >= before && !isAhead) || !isFinished(stateOf.get(row.writeId))) break;
    const brokenAt = breakBefore(chain, row);
    if (brokenAt) throw broken(brokenAt);
    rows.push(row);
    // A row from the future was stamped by a wrong clock: it counts as being as old as the row after it.
    if (!isAhead) removed = rows.length;
    chain = { rows: row.sequence, hash: row.hash };
  }
  return rows.slice(0, removed);
}

export async function pruneAudit(
  transaction: Transaction,
  before: string,
  at: string,
): Promise<{ rows: number; writes: number; more: boolean }> {
  const none = { rows: 0, writes: 0, more: false };
  const checkpoint = await newestMark(transaction, "checkpoint");
  const to = checkpoint && readCheckpoint(checkpoint)?.to;
  if (!checkpoint || !to) return none;
  const removed = await removable(transaction, to, before, at);
  const from = removed[0];
  const last = removed.at(-1);
  if (!from || !last) return none;
  const rows = removed.length;
  // First the row that records it: the database refuses any other removal.
  await appendAudit(transaction, {
    at,
    action: "pruned",
    write: { id: "", digest: last.hash },
    actor: NEXUSD,
    detail: canonicalRecord({
      from: from.sequence,
      to: last.sequence,
      rows,
      checkpoint: checkpoint.sequence,
    }),
  });
  await transaction.run("DELETE FROM audit WHERE sequence <= $1", [last.sequence]);
  const gone = await transaction.query<{ state: WriteState }>(
    `DELETE FROM writes w WHERE id = ANY($1::text[]) AND NOT EXISTS (SELECT FROM audit WHERE write_id = w.id)
     RETURNING state`,
    [[...new Set(removed.map(({ writeId }) => writeId))]],
  );
  for (const { state } of gone) transaction.head.writes[state]--;
  return { rows, writes: gone.length, more: rows === PRUNED_AT_ONCE };
}

const broken = ({ sequence, why }: Break) =>
  new Error(
    `nothing is removed from the audit log, which is broken at row ${sequence} (${why}): see nexusctl audit verify`,
  );

/** Rows about the log itself belong to no write. An unknown outcome is not final: a person has to resolve it. */
const isFinished = (state: WriteState | undefined): boolean =>
  state === undefined || TRANSITIONS[state].length === 0;

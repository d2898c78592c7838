// What an operator signs off in the audit log, and what retention may remove after that.

import type { Database } from "better-sqlite3";
import { type Break, breakBefore, readCheckpoint } from "../../contract/audit.ts";
import type { Store } from "../../contract/store.ts";
import { type AuditRow, TRANSITIONS, type WriteState } from "../../contract/writes.ts";
import { canonicalRecord } from "../../core/canonical-json.ts";
import { isoTime } from "../../core/clock.ts";
import { NEXUSD } from "../steps.ts";
import type { AuditLog } from "./audit.ts";

// A small transaction, so that commits and readers get their turn in between.
const PRUNED_AT_ONCE = 500;
const AHEAD_MS = 86_400_000;

/** What one transaction removed: rows of the audit log, and the state of each write removed with them. */
export interface Pruned {
  rows: number;
  writes: WriteState[];
  /** The audit row that records the removal, if anything was removed. */
  row?: AuditRow;
  more: boolean;
}

export interface AuditPruning {
  /** Runs inside a transaction, like `prune`. */
  signOff(...given: Parameters<Store["signOffAudit"]>): Awaited<ReturnType<Store["signOffAudit"]>>;
  prune(before: string, at: string): Pruned;
}

export const createAuditPruning = (db: Database, audit: AuditLog): AuditPruning => {
  const first = db.prepare<[], number>("SELECT min(sequence) FROM audit").pluck();
  const stateOf = db.prepare<[string], WriteState>("SELECT state FROM writes WHERE id = ?").pluck();
  const removeRows = db.prepare<[number]>("DELETE FROM audit WHERE sequence <= ?");
  const removeWrite = db
    .prepare<[string, string], WriteState>(
      "DELETE FROM writes WHERE id = ? AND NOT EXISTS (SELECT 1 FROM audit WHERE write_id = ?) RETURNING state",
    )
    .pluck();

  /** The oldest rows that may be removed. @throws Error if the chain is broken: the evidence must not be removed */
  const removable = (to: number, before: string, at: string): AuditRow[] => {
    const beginning = audit.beginning();
    if ("why" in beginning) throw broken(beginning);
    const rows: AuditRow[] = [];
    const ahead = isoTime(Date.parse(at) + AHEAD_MS);
    let removed = 0;
    let { chain } = beginning;
    for (const row of audit.read({ after: chain.rows, limit: PRUNED_AT_ONCE })) {
      // The first row that must stay keeps all rows after it, since a chain has no holes.
      const isAhead = row.at > ahead;
      if (row.sequence > to || (row.at >= before && !isAhead) || !isFinished(stateOf.get(row.writeId))) break;
      const brokenAt = breakBefore(chain, row);
      if (brokenAt) throw broken(brokenAt);
      rows.push(row);
      // A time in the future comes from a wrong clock: the row counts as old as the one after it.
      if (!isAhead) removed = rows.length;
      chain = { rows: row.sequence, hash: row.hash };
    }
    return rows.slice(0, removed);
  };

  return {
    signOff: ({ sequence, hash, note }, actor, at) => {
      const last = audit.one(sequence);
      if (!last) return undefined;
      if (last.hash !== hash) return { kind: "hash_mismatch" };
      const before = audit.newest("checkpoint");
      if (before && (readCheckpoint(before)?.to ?? 0) >= sequence) return { kind: "covered", row: before };
      const from = first.get() ?? 1;
      const detail = canonicalRecord({ from, to: sequence, rows: sequence - from + 1, note });
      const write = { id: "", digest: hash };
      return { kind: "signed", row: audit.append({ at, action: "checkpoint", write, actor, detail }) };
    },

    prune: (before, at) => {
      const none: Pruned = { rows: 0, writes: [], more: false };
      const checkpoint = audit.newest("checkpoint");
      const to = checkpoint && readCheckpoint(checkpoint)?.to;
      if (!checkpoint || !to) return none;
      const removed = removable(to, before, at);
      const from = removed[0];
      const last = removed.at(-1);
      if (!from || !last) return none;
      const rows = removed.length;
      // The row that records the removal comes first: the triggers of the database allow no other removal.
      const row = audit.append({
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
      removeRows.run(last.sequence);
      const ids = new Set(removed.map(({ writeId }) => writeId));
      const writes = [...ids].flatMap((id) => removeWrite.get(id, id) ?? []);
      return { rows, writes, row, more: rows === PRUNED_AT_ONCE };
    },
  };
};

const broken = ({ sequence, why }: Break) =>
  new Error(
    `nothing is removed from the audit log, because it is broken at row ${sequence} (${why}): see nexusctl audit verify`,
  );

/** Rows about the log itself belong to no write. An unknown outcome is not final: a person has to resolve it. */
const isFinished = (state: WriteState | undefined): boolean =>
  state === undefined || TRANSITIONS[state].length === 0;

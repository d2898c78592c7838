// One step of a write: its event, its audit row, and the counters it changes.

import type { Database } from "better-sqlite3";
import type { Actor } from "../../contract/actor.ts";
import { type Columns, coversOf, eventDigest, withoutNulls } from "../../contract/audit-cover.ts";
import { WRITE_STATES, type WriteState } from "../../contract/writes.ts";
import { canonicalRecord } from "../../core/canonical-json.ts";
import { prepareEvent } from "../prepared.ts";
import { bytesOf, isOpen, NEXUSD, type Step, stepEvent } from "../steps.ts";
import { toPatchRow, toWrite, type WriteRow } from "../write-rows.ts";
import type { AuditLog } from "./audit.ts";
import type { EventLog } from "./events.ts";
import { createOpenTotals, type WriteStatements } from "./write-statements.ts";

/** All but `committed`, `counts` and `openTotals.read` run inside a transaction. */
export const createSteps = (parts: {
  db: Database;
  log: EventLog;
  audit: AuditLog;
  statements: WriteStatements;
  now(): number;
}) => {
  const { db, log, audit, statements, now } = parts;
  const counts = readCounts(db);
  const openTotals = createOpenTotals(db);

  /**
   * Appends what belongs to every step, inside its transaction.
   * @param set what the step changed in the row
   * @param mark what happened, if the state stays the same
   */
  const record = (
    from: WriteState | null,
    row: WriteRow,
    { at, actor, detail, set }: { at: string; actor: Actor; detail: string; set: Columns },
    mark?: "signed",
  ): Step => {
    const after = toWrite(row);
    const { state } = after;
    const event = log.append(prepareEvent(stepEvent(after, at, actor, mark)), now());
    if (!event) throw new Error("the event of a step of a write was taken for a repetition");
    // Attempts are counted while it is executed; the result says how many there were.
    const attempts = from === "executing" ? { attempts: row.attempts } : {};
    const stored = log.row(event.sequence);
    const told = stored && { sequence: event.sequence, digest: eventDigest(stored) };
    const covers = coversOf(withoutNulls({ ...set, ...attempts }), told);
    const entry = audit.append({ at, action: mark ?? state, write: after, actor, detail, covers });
    const opened = (isOpen(state) ? 1 : 0) - (from !== null && isOpen(from) ? 1 : 0);
    if (opened !== 0) openTotals.add({ writes: opened, bytes: opened * bytesOf(row) });
    return { write: after, from, event, audit: entry };
  };

  /** The approval of a write in the transaction that proposes it. */
  const approveNew = (row: WriteRow, actor: Actor, at: string): Step | undefined => {
    const set = toPatchRow({ decidedAt: at, decidedBy: actor });
    const where = {
      id: row.id,
      from: "proposed",
      to: "approved",
      notExpiredAt: null,
      tokenHash: null,
      signedBefore: null,
    } as const;
    const approved = statements.move.get({ ...set, ...where });
    const detail = canonicalRecord({ operation: row.operation });
    return approved && record("proposed", approved, { at, actor, detail, set });
  };

  /** Called once the steps are on disk. */
  const committed = (steps: readonly Step[]): void => {
    log.appended(steps.flatMap(({ event, observed = [] }) => [event, ...observed]));
    for (const { write, from, audit: entry } of steps) {
      audit.appended(entry);
      counts[write.state]++;
      if (from !== null) counts[from]--;
    }
  };

  const expire = (due: readonly { id: string }[], at: string): Step[] =>
    due.flatMap(({ id }) => {
      const set = toPatchRow({ finishedAt: at });
      const free = { notExpiredAt: null, tokenHash: null, signedBefore: null };
      const row = statements.move.get({ ...set, ...free, id, from: "proposed", to: "expired" });
      if (!row) return [];
      const detail = canonicalRecord({ operation: row.operation, expiresAt: row.expires_at });
      return record("proposed", row, { at, actor: NEXUSD, detail, set });
    });

  return { record, approveNew, expire, committed, counts, openTotals };
};

/** Read once, then kept up to date. */
const readCounts = (db: Database): Record<WriteState, number> => {
  // Every state is a key.
  const counts = Object.fromEntries(WRITE_STATES.map((state) => [state, 0])) as Record<WriteState, number>;
  const rows = db.prepare<[], { state: WriteState; writes: number }>(
    "SELECT state, count(*) AS writes FROM writes GROUP BY state",
  );
  for (const { state, writes } of rows.all()) counts[state] = writes;
  return counts;
};

// Verifies that the audit log is unbroken, and that the writes and their events match it. Three passes, each in parts
// of a few milliseconds: the chain with its events, the end of the log, the writes.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { doorOf } from "../../contract/actor.ts";
import {
  type Break,
  breakAfter,
  breakBefore,
  type Chain,
  GENESIS_HASH,
  readCheckpoint,
} from "../../contract/audit.ts";
import { differences, eventDigest, readCovers } from "../../contract/audit-cover.ts";
import type { EventRow } from "../../contract/cloudevent.ts";
import type { AuditVerdict, FurtherLook } from "../../contract/write-store.ts";
import { type AuditRow, isFinal, WRITE_STATES } from "../../contract/writes.ts";
import { type Row, toAuditRow } from "../audit-rows.ts";
import { toWrite, type WriteRow } from "../write-rows.ts";
import type { AuditLog } from "./audit.ts";

/** The longest time that a verification blocks everything else, apart from the step it is in. */
const TURN_MS = 8;
// A step is a few milliseconds of hashing.
const ROWS_AT_ONCE = 40;
const CHARACTERS_AT_ONCE = 500_000;
const TOLD = 20;

const WRITE_EVENTS = [...WRITE_STATES, "signed"].map((step) => `nexusd.write.${step}`);

type Verify = (
  head: string | undefined,
  read: <T>(query: () => T) => Promise<T>,
  also?: FurtherLook,
) => Promise<AuditVerdict>;

/** Runs steps until the last one, or until its time is over. @returns whether that was the last one */
function forATurn(step: () => boolean): boolean {
  const end = performance.now() + TURN_MS;
  do if (step()) return true;
  while (performance.now() < end);
  return false;
}

/** What has been verified so far. */
interface Progress {
  chain: Chain | undefined;
  pruned: AuditVerdict["pruned"];
  brokenAt: Break | undefined;
  /** The event of the last row that names one: from the first of them on, the chain covers all events of writes. */
  event: number | undefined;
  /** The row whose hash was asked for. */
  noted: number | null;
  changed: { writeId: string; why: string }[];
  changedCount: number;
}

export const createVerify = (db: Database, audit: AuditLog): Verify => {
  const following = db.prepare<[number, number], Row>(
    "SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?",
  );
  const hasWrite = db.prepare<[string], number>("SELECT 1 FROM writes WHERE id = ?").pluck();
  const event = db.prepare<[number], EventRow>(
    "SELECT sequence, id, source, type, subject, time, data FROM events WHERE sequence = ?",
  );
  const oldestEvent = db.prepare<[], number | null>("SELECT min(sequence) FROM events").pluck();
  const writeEvents = db.prepare<[string, number, number], { sequence: number; source: string }>(
    `SELECT sequence, source FROM events INDEXED BY events_by_type
     WHERE type = ? AND sequence > ? AND sequence <= ?`,
  );
  const writesAfter = db.prepare<[string, number], WriteRow & { approval_order: number | null }>(
    "SELECT * FROM writes WHERE id > ? ORDER BY id LIMIT ?",
  );

  const tell = (progress: Progress, writeId: string, why: string): void => {
    progress.changedCount++;
    if (progress.changed.length < TOLD) progress.changed.push({ writeId, why });
  };

  /** A checkpoint must sign off the rows before it, as far as they still exist. */
  const checkpointBreak = (row: AuditRow): Break | undefined => {
    const detail = readCheckpoint(row);
    const signed = detail && audit.one(detail.to);
    const isGood =
      detail &&
      row.actor.via === "operator.sock" &&
      detail.to < row.sequence &&
      (!signed || signed.hash === row.digest);
    if (isGood) return undefined;
    return {
      sequence: row.sequence,
      why: "changed: a checkpoint that does not sign off the rows before it",
    };
  };

  /** Every event that the rows name must exist, and no other event of a write. */
  const checkEvents = (rows: readonly AuditRow[], upTo: number | undefined, progress: Progress): void => {
    const oldest = oldestEvent.get() ?? Number.POSITIVE_INFINITY;
    const named = new Set<number>();
    let from = progress.event;
    for (const row of rows) {
      const covered = readCovers(row)?.event;
      if (!covered) continue;
      from ??= covered.sequence - 1;
      progress.event = covered.sequence;
      named.add(covered.sequence);
      if (covered.sequence < oldest) continue;
      const found = event.get(covered.sequence);
      if (!found) tell(progress, row.writeId, `its event ${covered.sequence} was removed`);
      else if (eventDigest(found) !== covered.digest)
        tell(progress, row.writeId, `its event ${covered.sequence} was changed`);
    }
    const end = upTo ?? progress.event;
    if (from === undefined || end === undefined) return;
    for (const type of WRITE_EVENTS)
      for (const { sequence, source } of writeEvents.all(type, from, end))
        if (!named.has(sequence))
          tell(
            progress,
            source.replace("/writes/", ""),
            `the event ${sequence} was added: the audit log does not have it`,
          );
  };

  /** Continues with the chain. @returns whether it has reached the end */
  const walkChain = (progress: Progress, head: string | undefined): boolean => {
    const beginning = audit.beginning();
    if ("why" in beginning) {
      progress.brokenAt = beginning;
      return true;
    }
    progress.pruned = beginning.pruned;
    const before = progress.chain;
    // The next rows may have been removed since the last turn.
    let chain = before && before.rows >= beginning.chain.rows ? before : beginning.chain;
    if (chain.hash === head) progress.noted = chain.rows;
    // Begins with any row that somebody put in front of the first.
    const found = following.all(before ? chain.rows : Number.MIN_SAFE_INTEGER, ROWS_AT_ONCE).map(toAuditRow);
    const held: AuditRow[] = [];
    for (const row of found) {
      progress.brokenAt =
        breakBefore(chain, row) ?? (row.action === "checkpoint" ? checkpointBreak(row) : undefined);
      if (progress.brokenAt) break;
      chain = { rows: row.sequence, hash: row.hash };
      if (row.hash === head) progress.noted = row.sequence;
      held.push(row);
      if (row.writeId !== "" && row.action === "proposed" && hasWrite.get(row.writeId) === undefined)
        tell(progress, row.writeId, `it was removed, but row ${row.sequence} of the audit log is about it`);
    }
    progress.chain = chain;
    const isDone = progress.brokenAt !== undefined || found.length < ROWS_AT_ONCE;
    // At the end, up to the newest event: there must be no further one.
    checkEvents(held, isDone && !progress.brokenAt ? Number.MAX_SAFE_INTEGER : undefined, progress);
    // In the same turn as the last rows, so that no append comes in between.
    if (isDone && !progress.brokenAt) progress.brokenAt = breakAfter(chain, audit.head()) ?? foreignRow();
    return isDone;
  };

  const foreignRow = (): Break | undefined => {
    const sequence = audit.foreign();
    return sequence === undefined
      ? undefined
      : { sequence, why: "added or replaced by something other than this nexusd, while it was running" };
  };

  /** The rows of one write after the other, by their ids: one query reads rows that are stored side by side. */
  const rowsByWrite = () => {
    let rows: IterableIterator<AuditRow> | undefined;
    let next: AuditRow | undefined;
    const close = () => rows?.return?.();
    const of = (writeId: string): AuditRow[] => {
      if (next === undefined || next.writeId < writeId) {
        close();
        rows = audit.rowsFrom(writeId);
        next = rows.next().value;
      }
      const found: AuditRow[] = [];
      for (; next?.writeId === writeId; next = rows?.next().value) found.push(next);
      return found;
    };
    // While this iterator is open, the connection cannot write.
    return { of, close };
  };

  /** @returns the last write that was checked; undefined: there are no more */
  const walkWrites = (after: string, progress: Progress, also: FurtherLook): string | undefined => {
    let last: string | undefined;
    let characters = 0;
    const rows = rowsByWrite();
    try {
      for (const write of writesAfter.iterate(after, ROWS_AT_ONCE)) {
        last = write.id;
        const its = rows.of(write.id);
        const hasMore = !isFinal(write) || its.some(({ actor }) => doorOf(actor) === "signature");
        const why = [...differences(write, its), ...(hasMore ? also(toWrite(write), its) : [])];
        if (why.length > 0) tell(progress, write.id, `changed: ${why.join(", ")}`);
        characters += write.request.length + write.preview.length + (write.result?.length ?? 0);
        if (characters > CHARACTERS_AT_ONCE) break;
      }
    } finally {
      rows.close();
    }
    return last;
  };

  return async (head, read, also = () => []) => {
    const progress: Progress = {
      ...{ chain: undefined, pruned: null, brokenAt: undefined, event: undefined },
      ...{ noted: head === GENESIS_HASH ? 0 : null, changed: [], changedCount: 0 },
    };
    while (!(await read(() => forATurn(() => walkChain(progress, head))))) await nextTurn();
    let after: string | undefined = "";
    const next = (): boolean => {
      after = after === undefined ? undefined : walkWrites(after, progress, also);
      return after === undefined;
    };
    do await nextTurn();
    while (!(await read(() => forATurn(next))));
    const { chain, pruned, brokenAt, noted, changed, changedCount } = progress;
    const { rows, hash } = chain ?? { rows: 0, hash: GENESIS_HASH };
    return {
      ok: !brokenAt && changedCount === 0 && (head === undefined || noted !== null),
      rows,
      head: rows === 0 ? null : hash,
      pruned,
      ...(brokenAt && { brokenAt }),
      ...{ changed, changedCount },
      ...(head !== undefined && { noted: { head, row: noted } }),
    };
  };
};

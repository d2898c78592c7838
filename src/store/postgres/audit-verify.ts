// Verifies that the audit log is intact and that writes and events match it: all in one snapshot of the database, a few
// hundred rows at a time.

import { setImmediate as nextTurn } from "node:timers/promises";
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
import { auditBeginning, auditRow, type Queries, readHead } from "./audit.ts";

const ROWS_AT_ONCE = 200;
const TOLD = 20;

const WRITE_EVENTS = [...WRITE_STATES, "signed"].map((step) => `nexusd.write.${step}`);

interface Progress {
  chain: Chain;
  brokenAt: Break | undefined;
  /** The event of the last row that names one: from the first such row on, all events of writes are in the chain. */
  event: number | undefined;
  /** The row with the requested hash. */
  noted: number | null;
  changed: { writeId: string; why: string }[];
  changedCount: number;
}

/** @param on a single snapshot */
export async function verifyAudit(
  on: Queries,
  head?: string,
  also: FurtherLook = () => [],
): Promise<AuditVerdict> {
  const beginning = await auditBeginning(on);
  const isWhole = !("why" in beginning);
  const progress: Progress = {
    chain: isWhole ? beginning.chain : { rows: 0, hash: GENESIS_HASH },
    ...{ brokenAt: isWhole ? undefined : beginning, event: undefined },
    ...{ noted: head === GENESIS_HASH ? 0 : null, changed: [], changedCount: 0 },
  };
  if (isWhole) await walkChain(on, progress, head);
  await walkWrites(on, progress, also);
  const { chain, brokenAt, noted, changed, changedCount } = progress;
  return {
    ok: !brokenAt && changedCount === 0 && (head === undefined || noted !== null),
    rows: chain.rows,
    head: chain.rows === 0 ? null : chain.hash,
    pruned: isWhole ? beginning.pruned : null,
    ...(brokenAt && { brokenAt }),
    ...{ changed, changedCount },
    ...(head !== undefined && { noted: { head, row: noted } }),
  };
}

const tell = (progress: Progress, writeId: string, why: string): void => {
  progress.changedCount++;
  if (progress.changed.length < TOLD) progress.changed.push({ writeId, why });
};

async function walkChain(on: Queries, progress: Progress, head: string | undefined): Promise<void> {
  if (progress.chain.hash === head) progress.noted = progress.chain.rows;
  // The first page includes any row that was inserted before the first.
  for (let after = Number.MIN_SAFE_INTEGER; ; after = progress.chain.rows) {
    const found = (
      await on.query<Row>("SELECT * FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2", [
        after,
        ROWS_AT_ONCE,
      ])
    ).map(toAuditRow);
    const held: AuditRow[] = [];
    for (const row of found) {
      progress.brokenAt =
        breakBefore(progress.chain, row) ??
        (row.action === "checkpoint" ? await checkpointBreak(on, row) : undefined);
      if (progress.brokenAt) break;
      progress.chain = { rows: row.sequence, hash: row.hash };
      if (row.hash === head) progress.noted = row.sequence;
      held.push(row);
    }
    await checkWrites(on, held, progress);
    const isDone = progress.brokenAt !== undefined || found.length < ROWS_AT_ONCE;
    // At the end, check up to the newest event: none may follow.
    await checkEvents(on, held, isDone && !progress.brokenAt ? Number.MAX_SAFE_INTEGER : undefined, progress);
    if (isDone && !progress.brokenAt) progress.brokenAt = breakAfter(progress.chain, await readHead(on));
    if (isDone) return;
    await nextTurn();
  }
}

/** Checks that a checkpoint signs off the rows before it, as far as they still exist. */
async function checkpointBreak(on: Queries, row: AuditRow): Promise<Break | undefined> {
  const detail = readCheckpoint(row);
  const signed = detail && (await auditRow(on, detail.to));
  const isGood =
    detail &&
    row.actor.via === "operator.sock" &&
    detail.to < row.sequence &&
    (!signed || signed.hash === row.digest);
  if (isGood) return undefined;
  return {
    sequence: row.sequence,
    why: "changed: it is a checkpoint that does not sign off the rows before it",
  };
}

/** Checks that the writes whose proposal is in the log exist. */
async function checkWrites(on: Queries, rows: readonly AuditRow[], progress: Progress): Promise<void> {
  const proposals = rows.filter(({ writeId, action }) => writeId !== "" && action === "proposed");
  if (proposals.length === 0) return;
  const found = await on.query<{ id: string }>("SELECT id FROM writes WHERE id = ANY($1::text[])", [
    proposals.map(({ writeId }) => writeId),
  ]);
  const there = new Set(found.map(({ id }) => id));
  for (const { writeId, sequence } of proposals)
    if (!there.has(writeId))
      tell(progress, writeId, `it was removed: row ${sequence} of the audit log is about it`);
}

/** Checks that every event that the rows name exists, and no other event of a write. */
async function checkEvents(
  on: Queries,
  rows: readonly AuditRow[],
  upTo: number | undefined,
  progress: Progress,
): Promise<void> {
  const [first] = await on.query<{ min: number | null }>("SELECT min(sequence) FROM events");
  const oldest = first?.min ?? Number.POSITIVE_INFINITY;
  const covered = rows.flatMap((row) => {
    const event = readCovers(row)?.event;
    return event ? [{ ...event, writeId: row.writeId }] : [];
  });
  const found = await on.query<EventRow>(
    "SELECT sequence, id, source, type, subject, time, data FROM events WHERE sequence = ANY($1::bigint[])",
    [covered.map(({ sequence }) => sequence)],
  );
  const events = new Map(found.map((event) => [event.sequence, event]));
  const named = new Set<number>();
  let from = progress.event;
  for (const { sequence, digest, writeId } of covered) {
    from ??= sequence - 1;
    progress.event = sequence;
    named.add(sequence);
    if (sequence < oldest) continue;
    const event = events.get(sequence);
    if (!event) tell(progress, writeId, `its event ${sequence} was removed`);
    else if (eventDigest(event) !== digest) tell(progress, writeId, `its event ${sequence} was changed`);
  }
  const end = upTo ?? progress.event;
  if (from === undefined || end === undefined) return;
  const told = await on.query<{ sequence: number; source: string }>(
    `SELECT sequence, source FROM events WHERE type = ANY($1::text[]) AND sequence > $2 AND sequence <= $3
     ORDER BY sequence`,
    [WRITE_EVENTS, from, end],
  );
  for (const { sequence, source } of told)
    if (!named.has(sequence))
      tell(
        progress,
        source.replace("/writes/", ""),
        `the event ${sequence} was added: the audit log does not know it`,
      );
}

async function walkWrites(on: Queries, progress: Progress, also: FurtherLook): Promise<void> {
  for (let after = ""; ; await nextTurn()) {
    const writes = await on.query<WriteRow>(
      `SELECT * FROM writes WHERE id IN (
         SELECT id FROM (
           SELECT id, sum(octet_length(request) + octet_length(preview)) OVER (ORDER BY id) AS upto, row_number() OVER (ORDER BY id) AS n
           FROM (SELECT id, request, preview FROM writes WHERE id > $1 ORDER BY id LIMIT $2) w) p
         WHERE n = 1 OR upto < 4000000) ORDER BY id`,
      [after, ROWS_AT_ONCE],
    );
    if (writes.length === 0) return;
    const rows = await on.query<Row>(
      "SELECT * FROM audit WHERE write_id = ANY($1::text[]) ORDER BY write_id, sequence",
      [writes.map(({ id }) => id)],
    );
    const byWrite = Map.groupBy(rows.map(toAuditRow), ({ writeId }) => writeId);
    for (const write of writes) {
      const its = byWrite.get(write.id) ?? [];
      const hasMore = !isFinal(write) || its.some(({ actor }) => doorOf(actor) === "signature");
      const why = [...differences(write, its), ...(hasMore ? also(toWrite(write), its) : [])];
      if (why.length > 0) tell(progress, write.id, `changed: ${why.join(", ")}`);
      after = write.id;
    }
  }
}

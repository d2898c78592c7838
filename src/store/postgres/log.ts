// The log: paging by index, counting, pending events of consumers, and removing the oldest events.

import { decodeTime, encodeTime } from "ulid";
import type { EventRow } from "../../contract/cloudevent.ts";
import { fullType } from "../../contract/event-patterns.ts";
import type { Consumer, EventPage, EventQuery, EventRange, Pending } from "../../contract/store.ts";
import { isoTime } from "../../core/clock.ts";
import { toStoredEvent } from "../prepared.ts";
import type { Connection, Value } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

const PRUNE_CHUNK = 1000;
const AHEAD_MS = 86_400_000;

/** SQL for the types of the log that patterns name; its two values are arrays. */
const typesSql = (exact: number, starts: number) =>
  `SELECT type FROM event_types WHERE type = ANY($${exact}::text[])
     OR EXISTS (SELECT FROM unnest($${starts}::text[]) s WHERE starts_with(type, s))`;

/** A pattern's `.*` stands for one or more parts. */
function typeValues(patterns: readonly string[]): [exact: string[], starts: string[]] {
  const full = patterns.map(fullType);
  const isPattern = (pattern: string) => pattern.endsWith(".*");
  return [
    full.filter((type) => !isPattern(type)),
    full.filter(isPattern).map((pattern) => pattern.slice(0, -1)),
  ];
}

type PageRow = { latest: number; oldest: number; before: number | null } & (EventRow | { sequence: null });

/** One statement, so that the page and the ends of the log are consistent. Each part walks an index, in order. */
function pageStatement({ after, limit, types, source, maxLength = Number.MAX_SAFE_INTEGER }: EventQuery): {
  text: string;
  values: Value[];
} {
  const values: Value[] = [after, Math.max(0, limit), maxLength];
  let found = "SELECT sequence, size FROM events WHERE sequence > $1 ORDER BY sequence LIMIT $2";
  if (types !== undefined || source !== undefined) {
    values.push(...typeValues(types ?? ["*"]));
    if (source !== undefined) values.push(source);
    const ofSource =
      source === undefined ? "" : "AND source = $6 AND hashtextextended(source, 0) = hashtextextended($6, 0)";
    found = `SELECT e.sequence, e.size FROM (${typesSql(4, 5)}) t CROSS JOIN LATERAL (
        SELECT sequence, size FROM events WHERE type = t.type ${ofSource} AND sequence > $1 ORDER BY sequence LIMIT $2
      ) e ORDER BY e.sequence LIMIT $2`;
  }
  const text = `
    SELECT h.latest, h.oldest, p.before, e.sequence, e.id, e.source, e.type, e.subject, e.time, e.data
    FROM head h LEFT JOIN (
      SELECT sequence, sum(size) OVER (ORDER BY sequence) - size AS before FROM (${found}) f
    ) p ON p.before < $3 LEFT JOIN events e ON e.sequence = p.sequence ORDER BY p.sequence`;
  return { text, values };
}

export async function readPage(connection: Connection, query: EventQuery): Promise<EventPage> {
  const { text, values } = pageStatement(query);
  const rows = await connection.query<PageRow>(text, values);
  const { latest, oldest } = rows[0] ?? { latest: 0, oldest: 1 };
  const found = rows.filter((row): row is PageRow & EventRow => row.sequence !== null);
  const last = found.at(-1);
  const length = last ? Number(last.before) + last.data.length : 0;
  const isFull =
    found.length >= query.limit ||
    (query.maxLength !== undefined && found.length > 0 && length >= query.maxLength);
  return {
    events: found.map(toStoredEvent),
    next: isFull ? (last?.sequence ?? query.after) : latest,
    oldest,
    latest,
    gap: query.after + 1 < oldest ? { from: query.after + 1, to: oldest - 1 } : null,
  };
}

export async function countEvents(
  connection: Connection,
  { after, upTo, types }: EventRange,
): Promise<number> {
  const [row] =
    types === undefined
      ? await connection.query<{ count: number }>(
          "SELECT count(*) FROM events WHERE sequence > $1 AND sequence <= $2",
          [after, upTo],
        )
      : await connection.query<{ count: number }>(
          `SELECT coalesce(sum(e.count), 0)::bigint AS count FROM (${typesSql(3, 4)}) t CROSS JOIN LATERAL (
             SELECT count(*) FROM events WHERE type = t.type AND sequence > $1 AND sequence <= $2) e`,
          [after, upTo, ...typeValues(types)],
        );
  return row?.count ?? 0;
}

const NOTHING: Pending = { count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} };

/** A consumer's pending events, counted up to a limit: a few index lookups, whatever the log's length. */
export async function countPending(
  connection: Connection,
  { position, types }: Pick<Consumer, "position" | "types">,
  most: number,
): Promise<Pending> {
  const values: Value[] = [position, most + 1];
  let found = "SELECT sequence, type FROM events WHERE sequence > $1 ORDER BY sequence LIMIT $2";
  let newest = "SELECT max(sequence) FROM events WHERE sequence > $1";
  if (types !== null) {
    values.push(...typeValues(types));
    found = `SELECT e.sequence, t.type FROM (${typesSql(3, 4)}) t CROSS JOIN LATERAL (
      SELECT sequence FROM events WHERE type = t.type AND sequence > $1 ORDER BY sequence LIMIT $2) e
      ORDER BY e.sequence LIMIT $2`;
    newest = `SELECT max(n.newest) FROM (${typesSql(3, 4)}) t CROSS JOIN LATERAL (
      SELECT max(sequence) AS newest FROM events WHERE type = t.type AND sequence > $1) n`;
  }
  const rows = await connection.query<{ sequence: number; type: string; newest: number; id: string | null }>(
    `WITH f AS MATERIALIZED (${found})
     SELECT f.sequence, f.type, (${newest}) AS newest,
       (SELECT id FROM events WHERE sequence = (SELECT min(sequence) FROM f)) AS id
     FROM f ORDER BY f.sequence`,
    values,
  );
  const [first] = rows;
  if (!first) return NOTHING;
  // One more was read, which tells whether there are more.
  const counted = rows.slice(0, most);
  const counts = new Map<string, number>();
  for (const { type } of counted) counts.set(type, (counts.get(type) ?? 0) + 1);
  return {
    count: counted.length,
    isMore: rows.length > most,
    oldest: first.sequence,
    newest: first.newest,
    oldestAt: first.id === null ? null : isoTime(decodeTime(first.id)),
    types: Object.fromEntries(counts),
  };
}

/** Removes the oldest thousand events that are beyond the limits. @returns whether there may be more of them */
export async function prune(
  transaction: Transaction,
  { before, keep }: { before?: string; keep?: number },
  now: number,
): Promise<{ removed: number; more: boolean }> {
  await Promise.all(transaction.flush());
  const { head } = transaction;
  const lastUnwanted = keep === undefined ? 0 : head.latest - keep;
  // By commit time, which is the prefix of the ULID: the event's own time comes from the service.
  const idBefore = before === undefined ? "" : encodeTime(Date.parse(before));
  const idAhead = encodeTime(now + AHEAD_MS);
  const oldest = await transaction.query<{ sequence: number; id: string }>(
    "SELECT sequence, id FROM events ORDER BY sequence LIMIT $1",
    [PRUNE_CHUNK],
  );
  let removed = 0;
  for (const [at, { sequence, id }] of oldest.entries()) {
    if (sequence <= lastUnwanted || id < idBefore) removed = at + 1;
    // An event from the future was stamped by a wrong clock: it counts as being as old as the event after it.
    else if (id < idAhead) break;
  }
  const last = oldest[removed - 1];
  if (last) {
    await transaction.run(
      "UPDATE insights i SET data = e.data FROM events e WHERE e.sequence = i.sequence AND e.sequence <= $1 AND i.data IS NULL",
      [last.sequence],
    );
    await transaction.run("DELETE FROM events WHERE sequence <= $1", [last.sequence]);
    head.oldest = last.sequence + 1;
  }
  return { removed, more: removed === PRUNE_CHUNK };
}

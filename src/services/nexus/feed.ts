// Feeds: the new rows of a table to which rows are only added, each told once, in the order of their time.
//
// Their time is the word of whoever wrote them: a row can come late, bear the time of one that was read, or one that
// has not come. So a pass reads what is newer than its position, a little overlapping, and after that one page of all
// the rest: the day before, and what is ahead of the server's time. From pass to pass that page goes on to the end and
// begins again, so that a quiet table is read whole each time and a busy one costs no more requests. What comes again
// is left out by the log, which knows its id.

import type { Dedupe, NewEvent } from "../../contract/new-event.ts";
import { instantOf } from "../../core/instant.ts";
import { HttpError } from "../../http/errors.ts";
import { asText, type NexusClient, type Row } from "./client.ts";
import { driftError, driftOf } from "./drift.ts";
import type { Filter, Position } from "./query.ts";

export interface Feed {
  table: string;
  select: string;
  /** When a row was added. */
  time: string;
  filters: readonly Filter[];
  event: (row: Row) => NewEvent;
}

/** How far a feed was read. The times are texts of the server: what a Date makes of one loses the microseconds. */
export interface FeedPosition {
  /** What was there at the first look is history up to here; later rows were told, or were known by their ids. */
  since: string;
  /** The newest row that was read, of those that are not ahead of the server's time. */
  time: string;
  /** A reading that was interrupted: where it began, and the last row that it came to. */
  reading?: { from: string; last: Place };
  /** The last row that the reading of the rest came to; left out: it begins again. */
  rest?: Place;
  /** Rows without a time are told: those of the first look were few enough to be known by their ids. */
  hasTimeless?: true;
}

interface Place {
  time: string | null;
  id: string;
}

export interface FeedPart {
  events: NewEvent[];
  /** Of rows that were there before the first look. */
  known?: Dedupe[];
  position: FeedPosition;
}

export type FeedReader = Pick<NexusClient, "read" | "readCounted" | "time">;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A row can become visible after one that is newer, as long as its transaction was: it is looked for each time. */
const OVERLAP_MS = 15 * MINUTE_MS;
/** How late a row can come, by its time, and still be told. */
const LATEST_MS = DAY_MS;
/** A position so far ahead of the server's time was never read up to. */
const AHEAD_MS = HOUR_MS;
/** How far such a one goes back. */
const BACK_MS = 7 * DAY_MS;
const MOST_ROWS = 1000;
/** Of the rest in one pass: one page of any server. */
const REST_ROWS = 100;
/** What the first look asks for, to know a day's rows. */
const FIRST_PAGES = 10;
const BEFORE_ALL = "1970-01-01T00:00:00Z";

/** The rows since `position`, part by part; each has to be committed before the next one is asked for. */
export async function* readFeed(
  nexus: FeedReader,
  feed: Feed,
  position: FeedPosition | undefined,
  signal: AbortSignal,
): AsyncGenerator<FeedPart> {
  if (!position) {
    yield await firstLook(nexus, feed, signal);
    return;
  }
  const start = believed(position, nexus.time);
  // Any bound will do, as long as both readings have the same: beyond it the rest begins.
  const ahead = isoOf(nexus.time.now() + OVERLAP_MS);
  const from = start.reading?.from ?? isoOf(instantOf(start.time) - OVERLAP_MS);

  let now = start;
  for await (const part of readNew(nexus, feed, { start, from, ahead, signal })) {
    now = part.position;
    yield part;
  }
  yield await readRest(nexus, feed, { start: now, from, ahead, signal });
}

interface Reading {
  start: FeedPosition;
  from: string;
  ahead: string;
  signal: AbortSignal;
}

/** What is newer than the position, to the end, from where it was interrupted. */
async function* readNew(nexus: FeedReader, feed: Feed, reading: Reading): AsyncGenerator<FeedPart> {
  const { start, from, ahead, signal } = reading;
  const { table, select, time, filters } = feed;
  const bounds: Filter[] = [
    { column: time, operator: "gt", value: start.since },
    { column: time, operator: "gte", value: from },
    { column: time, operator: "lte", value: ahead },
  ];
  const { reading: interrupted, ...kept } = start;
  let position: FeedPosition = kept;
  for (let after = interrupted?.last, isEnd = false; !isEnd; ) {
    const { rows, total } = await nexus.readCounted(
      {
        ...{ table, select, order: [time, "id"], limit: MOST_ROWS },
        filters: [...filters, ...bounds],
        ...(after && { after: placeIn(feed, after) }),
      },
      signal,
    );
    const newest = newestOf(rows, feed, nexus.time.now());
    // Only forward: the last page of a feed that was read before lies in the overlap.
    if (newest !== undefined && instantOf(newest) >= instantOf(position.time))
      position = { ...position, time: newest };
    after = lastOf(rows, feed);
    // A page that is not full proves nothing, since the server has a limit of its own.
    isEnd = after === undefined || (total !== undefined && rows.length >= total);
    yield {
      events: eventsOf(rows, feed),
      position: isEnd || !after ? position : { ...position, reading: { from, last: after } },
    };
  }
}

/** One page of what the other reading leaves out: what came late, and what is ahead of the server's time. */
async function readRest(nexus: FeedReader, feed: Feed, reading: Reading): Promise<FeedPart> {
  const { start, from, ahead, signal } = reading;
  const { table, select, time, filters } = feed;
  const { rest, ...position } = start;
  const since: Filter = { column: time, operator: "gt", value: start.since };
  const { rows, total } = await nexus.readCounted(
    {
      ...{ table, select, order: [time, "id"], limit: REST_ROWS },
      filters,
      anyOf: [
        [
          since,
          { column: time, operator: "gte", value: isoOf(instantOf(start.time) - LATEST_MS) },
          { column: time, operator: "lt", value: from },
        ],
        [since, { column: time, operator: "gt", value: ahead }],
        ...(start.hasTimeless ? [[timeless(feed)]] : []),
      ],
      ...(rest && { after: placeIn(feed, rest) }),
    },
    signal,
  );
  const last = lastOf(rows, feed);
  const isEnd = total !== undefined && rows.length >= total;
  return {
    events: eventsOf(rows, feed),
    position: last && !isEnd ? { ...position, rest: last } : position,
  };
}

/**
 * What is there is history, and stays it: the rows of the last day are remembered by their ids, since one that comes
 * late, or within the same second, can be told from them by nothing else.
 */
async function firstLook(nexus: FeedReader, feed: Feed, signal: AbortSignal): Promise<FeedPart> {
  const { table, time, filters } = feed;
  const order = [time, "id"];
  const known: Dedupe[] = [];
  let newest: string | undefined;
  let since = BEFORE_ALL;
  let after: Place | undefined;
  for (let pages = 0; ; pages++) {
    const rows = await nexus.read(
      {
        ...{ table, select: `id,${time}`, order, newestFirst: true, limit: MOST_ROWS },
        filters: [...filters, { column: time, operator: "not.is", value: null }],
        ...(after && { after: placeIn(feed, after) }),
      },
      signal,
    );
    newest ??= newestOf(rows, feed, nexus.time.now());
    known.push(...rows.map(({ id }) => once(table, id)));
    const last = asText(rows.at(-1)?.[time]);
    after = lastOf(rows, feed);
    if (!after || last === null) break;
    const isOld = newest !== undefined && instantOf(last) < instantOf(newest) - LATEST_MS;
    if (!isOld && pages + 1 < FIRST_PAGES) continue;
    since = last;
    break;
  }
  const others = await findTimeless(nexus, feed, signal);
  if (others) known.push(...others);
  return {
    ...{ events: [], known },
    position: { since, time: newest ?? since, ...(others && { hasTimeless: true }) },
  };
}

/** What has no time, and never gets one, is told from what comes by its id alone; undefined: it is too much for that. */
async function findTimeless(
  nexus: FeedReader,
  feed: Feed,
  signal: AbortSignal,
): Promise<Dedupe[] | undefined> {
  const { table, filters } = feed;
  const known: Dedupe[] = [];
  let after: Position = [];
  for (let pages = 0; pages < FIRST_PAGES; pages++) {
    const rows = await nexus.read(
      {
        ...{ table, select: "id", order: ["id"], limit: MOST_ROWS, after },
        filters: [...filters, timeless(feed)],
      },
      signal,
    );
    const last = rows.at(-1);
    if (!last) return known;
    known.push(...rows.map(({ id }) => once(table, id)));
    after = [{ column: "id", value: last.id }];
  }
  return undefined;
}

/** A position that a row of the future has moved, as earlier versions let it, is deaf: back to where rows are. */
function believed(position: FeedPosition, time: FeedReader["time"]): FeedPosition {
  const now = time.now();
  // No time at all is such as "infinity", which PostgreSQL has and an earlier version may have stored.
  const isOff = (text: string) =>
    Number.isNaN(instantOf(text)) || (time.isKnown() && instantOf(text) > now + AHEAD_MS);
  const since = isOff(position.since) ? isoOf(now - LATEST_MS) : position.since;
  if (!isOff(position.time)) return { ...position, since };
  const kept = position.hasTimeless && { hasTimeless: position.hasTimeless };
  return { ...kept, since, time: isoOf(Math.max(instantOf(since), now - BACK_MS)) };
}

/** The newest of the rows whose time has come, as the server wrote it. */
function newestOf(rows: readonly Row[], { time }: Feed, now: number): string | undefined {
  let newest: string | undefined;
  for (const row of rows) {
    const text = asText(row[time]);
    if (text === null || !(instantOf(text) <= now)) continue;
    if (newest === undefined || instantOf(text) >= instantOf(newest)) newest = text;
  }
  return newest;
}

const isoOf = (ms: number): string => new Date(ms).toISOString();

function lastOf(rows: readonly Row[], { time }: Feed): Place | undefined {
  const last = rows.at(-1);
  return last && { time: asText(last[time]), id: last.id };
}

const timeless = ({ time }: Feed): Filter => ({ column: time, operator: "is", value: null });

const placeIn = ({ time }: Feed, place: Place): Position => [
  { column: time, value: place.time },
  { column: "id", value: place.id },
];

const eventsOf = (rows: readonly Row[], feed: Feed): NewEvent[] =>
  rows.map((row) => ({ ...feed.event(row), dedupe: once(feed.table, row.id) }));

const once = (table: string, id: string): Dedupe => ({ scope: `nexus.${table}`, match: [id], record: [id] });

/** A schema that is not as expected, with what to set; any other error as it is. */
export const feedFailure = (error: unknown, feed: Feed, watch: { job: string; without: string }): unknown => {
  const drift = driftOf(error);
  if (!drift || !(error instanceof HttpError)) return error;
  return driftError(error, drift, { ...watch, table: feed.table, columns: [] });
};

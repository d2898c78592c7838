// Feeds: the new rows of append-only tables, each reported once, ordered by time.
//
// Their time is set by their author: a row can come late, have the same time as one that was read, or a time in the
// future. So a pass reads what is newer than its position, with a small overlap, and then one page of all the rest: the
// day before, rows ahead of the server's time, and rows without a time. From pass to pass that page moves on to the end
// and starts again, so that a quiet table is read completely each time and a busy one costs no more requests. The log
// leaves out repetitions, since it knows their ids.

import { instantOf } from "../../core/instant.ts";
import { HttpError } from "../../http/errors.ts";
import { driftError, driftOf } from "./drift.ts";
import { firstLook } from "./feed-first-look.ts";
import {
  eventsOf,
  type Feed,
  type FeedPart,
  type FeedPosition,
  type FeedReader,
  LATEST_MS,
  lastOf,
  MOST_ROWS,
  newestOf,
  placeIn,
  timeless,
} from "./feed-rows.ts";
import type { Filter } from "./query.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A row can become visible after a newer one, by as much as its transaction took: each pass looks for it. */
const OVERLAP_MS = 15 * MINUTE_MS;
/** A position this far ahead of the server's time cannot have been read. */
const AHEAD_MS = HOUR_MS;
/** How far such a position is moved back. */
const BACK_MS = 7 * DAY_MS;
/** Of the rest in one pass: one page of any server. */
const REST_ROWS = 100;

/** The rows since `position`, part by part; each has to be committed before the next one is requested. */
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
  // Any bound works, as long as both reads use the same: beyond it the rest begins.
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

/** What is newer than the position, to the end, continuing after an interruption. */
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
    // Only forward: the last page of a feed that was read before is in the overlap.
    if (newest !== undefined && instantOf(newest) >= instantOf(position.time))
      position = { ...position, time: newest };
    after = lastOf(rows, feed);
    // A page that is not full proves nothing, since the server has its own limit.
    isEnd = after === undefined || (total !== undefined && rows.length >= total);
    yield {
      events: eventsOf(rows, feed),
      position: isEnd || !after ? position : { ...position, reading: { from, last: after } },
    };
  }
}

/** One page of what the other read leaves out: late rows, and rows ahead of the server's time. */
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

/** A position that a future row has moved, as in earlier versions, finds nothing: it moves back to where rows are. */
function believed(position: FeedPosition, time: FeedReader["time"]): FeedPosition {
  const now = time.now();
  // An invalid time is one like "infinity", which PostgreSQL has and an earlier version may have stored.
  const isOff = (text: string) =>
    Number.isNaN(instantOf(text)) || (time.isKnown() && instantOf(text) > now + AHEAD_MS);
  const since = isOff(position.since) ? isoOf(now - LATEST_MS) : position.since;
  if (!isOff(position.time)) return { ...position, since };
  const kept = position.hasTimeless && { hasTimeless: position.hasTimeless };
  return { ...kept, since, time: isoOf(Math.max(instantOf(since), now - BACK_MS)) };
}

const isoOf = (ms: number): string => new Date(ms).toISOString();

/** An unexpected schema, with what to set; any other error unchanged. */
export const feedFailure = (error: unknown, feed: Feed, watch: { job: string; without: string }): unknown => {
  const drift = driftOf(error);
  if (!drift || !(error instanceof HttpError)) return error;
  return driftError(error, drift, { ...watch, table: feed.table, columns: [] });
};

// The first poll of a feed: existing rows are history, which is remembered instead of reported.

import type { Dedupe } from "../../contract/new-event.ts";
import { instantOf } from "../../core/instant.ts";
import { asText } from "./client.ts";
import {
  type Feed,
  type FeedPart,
  type FeedReader,
  LATEST_MS,
  lastOf,
  MOST_ROWS,
  newestOf,
  once,
  type Place,
  placeIn,
  timeless,
} from "./feed-rows.ts";
import type { Position } from "./query.ts";

/** What the first poll requests, to know a day's rows. */
const FIRST_PAGES = 10;
const BEFORE_ALL = "1970-01-01T00:00:00Z";

/**
 * Existing rows are history: the rows of the last day are remembered by id, since nothing else distinguishes them from
 * a row that comes late, or within the same second.
 */
export async function firstLook(nexus: FeedReader, feed: Feed, signal: AbortSignal): Promise<FeedPart> {
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

/** Rows without a time are distinguished from new ones only by id; undefined: there are too many for that. */
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

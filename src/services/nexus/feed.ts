// Feeds: the new rows of a table to which rows are only added, each told once, in the order of their time.

import type { NewEvent } from "../../events/types.ts";
import { HttpError } from "../../http/errors.ts";
import { asText, type Row, type RowReader } from "./client.ts";
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

/** How far a feed was read. Both are texts of the server: what a Date makes of one loses the microseconds. */
export interface FeedPosition {
  /** The newest row when the feed was first looked at: what came before it is history. */
  since: string;
  /** The newest row that was read. */
  time: string;
}

/** A row can become visible after one that is newer, as long as its transaction was: it is looked for again. */
const OVERLAP_MS = 5 * 60_000;
const MOST_ROWS = 1000;
const BEFORE_ALL = "1970-01-01T00:00:00Z";

/**
 * The rows since `position`, page by page; each page has to be committed before the next one is asked for. A row that
 * comes again is left out by the log, which knows its id.
 */
export async function* readFeed(
  nexus: RowReader,
  feed: Feed,
  position: FeedPosition | undefined,
  signal: AbortSignal,
): AsyncGenerator<{ events: NewEvent[]; position: FeedPosition }> {
  const { table, select, time, filters } = feed;
  if (!position) {
    const order = [time, "id"];
    const [newest] = await nexus.read({ table, select, filters, order, newestFirst: true, limit: 1 }, signal);
    const since = asText(newest?.[time]) ?? BEFORE_ALL;
    yield { events: [], position: { since, time: since } };
    return;
  }
  const from = new Date(Date.parse(position.time) - OVERLAP_MS).toISOString();
  const bounds: Filter[] = [
    { column: time, operator: "gt", value: position.since },
    { column: time, operator: "gte", value: from },
  ];
  let newest = position.time;
  for (let after: Position = []; ; ) {
    const page = await nexus.read(
      { table, select, filters: [...filters, ...bounds], order: [time, "id"], after, limit: MOST_ROWS },
      signal,
    );
    const last = page.at(-1);
    const lastTime = asText(last?.[time]);
    if (!last || lastTime === null) return;
    // Only forward: the last page of a feed that was read before lies in the overlap.
    if (Date.parse(lastTime) >= Date.parse(newest)) newest = lastTime;
    const events = page.map((row) => ({ ...feed.event(row), dedupe: once(table, row.id) }));
    yield { events, position: { since: position.since, time: newest } };
    after = [
      { column: time, value: lastTime },
      { column: "id", value: last.id },
    ];
  }
}

/** A schema that is not as expected, with what to set; any other error as it is. */
export const feedFailure = (error: unknown, feed: Feed, watch: { job: string; without: string }): unknown => {
  const drift = driftOf(error);
  if (!drift || !(error instanceof HttpError)) return error;
  return driftError(error, drift, { ...watch, table: feed.table, columns: [] });
};

const once = (table: string, id: string) => ({ scope: `nexus.${table}`, match: [id], record: [id] });

// The rows of a feed: their declaration, their position, and what is remembered of them.

import type { Dedupe, NewEvent } from "../../contract/new-event.ts";
import { instantOf } from "../../core/instant.ts";
import { asText, type NexusClient, type Row } from "./client.ts";
import type { Filter, Position } from "./query.ts";

export interface Feed {
  table: string;
  select: string;
  /** When a row was added. */
  time: string;
  filters: readonly Filter[];
  event: (row: Row) => NewEvent;
}

/** How far a feed was read. The times are strings of the server: a Date would lose the microseconds. */
export interface FeedPosition {
  /** Everything up to here existed at the first poll; later rows were reported, or were known by id. */
  since: string;
  /** The newest row that was read, of those that are not ahead of the server's time. */
  time: string;
  /** An interrupted read: where it began, and the last row that it reached. */
  reading?: { from: string; last: Place };
  /** The last row that the read of the rest reached; left out: it starts again. */
  rest?: Place;
  /** Rows without a time are reported: those of the first poll were few enough to be known by id. */
  hasTimeless?: true;
}

export interface Place {
  time: string | null;
  id: string;
}

export interface FeedPart {
  events: NewEvent[];
  /** Of rows that existed before the first poll. */
  known?: Dedupe[];
  position: FeedPosition;
}

export type FeedReader = Pick<NexusClient, "read" | "readCounted" | "time">;

export const MOST_ROWS = 1000;
/** How late a row can be, by its time, and still be reported. */
export const LATEST_MS = 86_400_000;

/** The newest of the rows whose time has come, as the server wrote it. */
export function newestOf(rows: readonly Row[], { time }: Feed, now: number): string | undefined {
  let newest: string | undefined;
  for (const row of rows) {
    const text = asText(row[time]);
    if (text === null || !(instantOf(text) <= now)) continue;
    if (newest === undefined || instantOf(text) >= instantOf(newest)) newest = text;
  }
  return newest;
}

export function lastOf(rows: readonly Row[], { time }: Feed): Place | undefined {
  const last = rows.at(-1);
  return last && { time: asText(last[time]), id: last.id };
}

export const timeless = ({ time }: Feed): Filter => ({ column: time, operator: "is", value: null });

export const placeIn = ({ time }: Feed, place: Place): Position => [
  { column: time, value: place.time },
  { column: "id", value: place.id },
];

export const eventsOf = (rows: readonly Row[], feed: Feed): NewEvent[] =>
  rows.map((row) => ({ ...feed.event(row), dedupe: once(feed.table, row.id) }));

export const once = (table: string, id: string): Dedupe => ({
  scope: `nexus.${table}`,
  match: [id],
  record: [id],
});

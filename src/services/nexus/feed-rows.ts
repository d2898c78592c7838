// The rows of a feed: what is declared of them, where they stand, and what of them is remembered.

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

export interface Place {
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

export const MOST_ROWS = 1000;
/** How late a row can come, by its time, and still be told. */
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

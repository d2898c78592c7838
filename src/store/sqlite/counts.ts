// Counts the events in a part of the log by the indexes, without reading the events.

import type { Database } from "better-sqlite3";
import { expandTypes } from "../../contract/event-patterns.ts";
import type { EventRange } from "../../contract/store.ts";
import type { EventLog } from "./events.ts";

export const createCounts = (db: Database, log: Pick<EventLog, "types">): ((range: EventRange) => number) => {
  const all = db
    .prepare<[number, number], number>("SELECT count(*) FROM events WHERE sequence > ? AND sequence <= ?")
    .pluck();
  const ofType = db
    .prepare<[string, number, number], number>(
      "SELECT count(*) FROM events INDEXED BY events_by_type WHERE type = ? AND sequence > ? AND sequence <= ?",
    )
    .pluck();
  return ({ after, upTo, types }) =>
    types === undefined
      ? (all.get(after, upTo) ?? 0)
      : expandTypes(types, log.types()).reduce((sum, type) => sum + (ofType.get(type, after, upTo) ?? 0), 0);
};

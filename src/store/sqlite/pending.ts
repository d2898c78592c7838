// What a consumer has still to read, counted up to a limit: a few index lookups, however long the log is.

import type { Database } from "better-sqlite3";
import { decodeTime } from "ulid";
import { expandTypes } from "../../contract/event-patterns.ts";
import type { Consumer, Pending } from "../../contract/store.ts";
import { isoTime } from "../../core/clock.ts";
import type { EventLog } from "./events.ts";

export const PENDING_COUNTED = 1000;

const NOTHING: Pending = { count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} };

interface Found {
  sequence: number;
  type: string;
}

export const createPending = (
  db: Database,
  log: Pick<EventLog, "types" | "latest">,
): ((consumer: Pick<Consumer, "position" | "types">, most: number) => Pending) => {
  const following = db.prepare<[number, number], Found>(
    "SELECT sequence, type FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
  );
  const ofType = db.prepare<[string, number, number, number], Found>(
    `SELECT sequence, type FROM events INDEXED BY events_by_type
     WHERE type = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
  );
  const newestOfType = db
    .prepare<[string, number], number | null>(
      "SELECT max(sequence) FROM events INDEXED BY events_by_type WHERE type = ? AND sequence > ?",
    )
    .pluck();
  const newest = db
    .prepare<[number], number | null>("SELECT max(sequence) FROM events WHERE sequence > ?")
    .pluck();
  const idOf = db.prepare<[number], string>("SELECT id FROM events WHERE sequence = ?").pluck();

  /** The first `most` events of these types after a position, in order. */
  const firstOf = (types: readonly string[], after: number, most: number): Found[] => {
    let found: Found[] = [];
    let upTo = log.latest();
    for (const type of types) {
      found = found.concat(ofType.all(type, after, upTo, most)).sort((a, b) => a.sequence - b.sequence);
      if (found.length < most) continue;
      // A further type matters only if it has something older than what is already enough.
      found = found.slice(0, most);
      upTo = found.at(-1)?.sequence ?? upTo;
    }
    return found;
  };

  return ({ position, types }, most) => {
    const wanted = types === null ? undefined : expandTypes(types, log.types());
    // One more, to tell whether there are more.
    const found = wanted ? firstOf(wanted, position, most + 1) : following.all(position, most + 1);
    const oldest = found[0]?.sequence;
    if (oldest === undefined) return NOTHING;
    const last = wanted
      ? Math.max(...wanted.map((type) => newestOfType.get(type, position) ?? 0))
      : newest.get(position);
    const counts = new Map<string, number>();
    const counted = found.slice(0, most);
    for (const { type } of counted) counts.set(type, (counts.get(type) ?? 0) + 1);
    const id = idOf.get(oldest);
    return {
      count: counted.length,
      isMore: found.length > most,
      oldest,
      newest: last ?? oldest,
      oldestAt: id === undefined ? null : isoTime(decodeTime(id)),
      types: Object.fromEntries(counts),
    };
  };
};

// The log: appending events, paging by index, and removing the oldest.

import type { Database } from "better-sqlite3";
import { decodeTime, encodeTime, monotonicFactory } from "ulid";
import type { EventRow } from "../../contract/cloudevent.ts";
import { expandTypes } from "../../contract/event-patterns.ts";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { EventPage, EventQuery } from "../../contract/store.ts";
import { isoTime } from "../../core/clock.ts";
import { type DedupeKey, type PreparedEvent, toStoredEvent } from "../prepared.ts";
import { takeLength } from "../take-length.ts";
import { createDedupe } from "./dedupe.ts";
import type { SearchMemory } from "./search-memory.ts";

const AHEAD_MS = 86_400_000;
const COLUMNS = "sequence, id, source, type, subject, time, data";

export interface EventLog {
  latest(): number;
  oldest(): number;
  /** How many events of each type were appended since the log was opened. */
  counts(): ReadonlyMap<string, number>;
  /** The types of all events that are or were in the log. */
  types(): string[];
  /** Runs inside a transaction. @returns undefined for a repetition */
  append(event: PreparedEvent, now: number): StoredEvent | undefined;
  /** Events with these keys count as repetitions from now on. Runs inside a transaction. */
  remember(keys: readonly DedupeKey[], now: number): void;
  /** Called once `append` is on disk. */
  appended(events: readonly StoredEvent[]): void;
  /**
   * Removes the oldest events that are beyond the limits. Runs inside a transaction.
   * @param most how many at once
   * @param now ms since the epoch
   */
  prune(
    limits: { before?: string; keep?: number },
    most: number,
    now: number,
  ): { removed: number; oldest: number; more: boolean };
  /** Called once `prune` is on disk. */
  pruned(oldest: number): void;
  /** Forgets part of the keys not seen since `before` (ms since the epoch), nor since the oldest event. */
  pruneKeys(part: number, before: number): void;
  /** As it is stored; also works inside a transaction. */
  row(sequence: number): EventRow | undefined;
  page(query: EventQuery): EventPage;
}

export const createEventLog = (
  db: Database,
  searchable: Pick<SearchMemory, "add" | "keep">,
  random: () => number,
): EventLog => {
  const nextId = monotonicFactory(random);
  const dedupe = createDedupe(db);
  const insert = db.prepare<[string, string, string, string | null, string, string]>(
    "INSERT INTO events (id, source, type, subject, time, data) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const one = db.prepare<[number], EventRow>(`SELECT ${COLUMNS} FROM events WHERE sequence = ?`);
  const following = db.prepare<[number, number], EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  );
  const ofType = db
    .prepare<[string, number, number, number], number>(
      `SELECT sequence FROM events INDEXED BY events_by_type
       WHERE type = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
    )
    .pluck();
  const ofSource = db
    .prepare<[string, string, number, number, number], number>(
      `SELECT sequence FROM events INDEXED BY events_by_source
       WHERE source = ? AND type = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
    )
    .pluck();
  const first = db.prepare<[], { sequence: number; id: string }>(
    "SELECT sequence, id FROM events ORDER BY sequence LIMIT 1",
  );
  const oldestIds = db.prepare<[number], { sequence: number; id: string }>(
    "SELECT sequence, id FROM events ORDER BY sequence LIMIT ?",
  );
  const removeTo = db.prepare<[number]>("DELETE FROM events WHERE sequence <= ?");

  let latest = readLatest(db);
  let oldest = first.get()?.sequence ?? latest + 1;
  const types = readTypes(db);
  const counts = new Map<string, number>();

  const sequencesOf = ({ after, limit, types: patterns = ["*"], source }: EventQuery): number[] => {
    let found: number[] = [];
    let upTo = latest;
    for (const type of expandTypes(patterns, types)) {
      found = found.concat(
        source === undefined
          ? ofType.all(type, after, upTo, limit)
          : ofSource.all(source, type, after, upTo, limit),
      );
      if (found.length <= limit) continue;
      // A further type matters only if it has something older than what is already enough.
      found = found.sort((a, b) => a - b).slice(0, limit);
      upTo = found.at(-1) ?? upTo;
    }
    return found.sort((a, b) => a - b);
  };

  const select = (query: EventQuery): Iterable<EventRow> =>
    query.types === undefined && query.source === undefined
      ? following.iterate(query.after, query.limit)
      : found(sequencesOf(query));
  function* found(sequences: number[]): Generator<EventRow> {
    for (const sequence of sequences) {
      const row = one.get(sequence);
      if (row) yield row;
    }
  }

  return {
    latest: () => latest,
    oldest: () => oldest,
    counts: () => counts,
    types: () => [...types],

    append: (event, now) => {
      if (event.dedupe && dedupe.isRepeated(event.dedupe, now)) return undefined;
      // ulid takes 0 for "now" by the system's clock.
      const id = nextId(Math.max(1, Math.floor(now)));
      const { source, type, subject, data } = event;
      const time = event.time ?? isoTime(now);
      const sequence = Number(insert.run(id, source, type, subject, time, data).lastInsertRowid);
      if (event.terms) searchable.add({ sequence, time, terms: event.terms });
      return toStoredEvent({ sequence, id, source, type, subject, time, data });
    },
    remember: (keys, now) => {
      dedupe.isRepeated(keys, now);
    },
    appended: (events) => {
      for (const { type } of events) {
        types.add(type);
        counts.set(type, (counts.get(type) ?? 0) + 1);
      }
      latest = events.at(-1)?.sequence ?? latest;
    },

    prune: ({ before, keep }, most, now) => {
      const lastUnwanted = keep === undefined ? 0 : latest - keep;
      // The time of the commit, which a ULID begins with: the event's own time is the service's claim.
      const idBefore = before === undefined ? "" : encodeTime(Date.parse(before));
      const head = oldestIds.all(most);
      const idAhead = encodeTime(now + AHEAD_MS);
      let removed = 0;
      for (const [at, { sequence, id }] of head.entries()) {
        if (sequence <= lastUnwanted || id < idBefore) removed = at + 1;
        // A time in the future comes from a wrong clock: the event counts as old as the one after it.
        else if (id < idAhead) break;
      }
      const last = head[removed - 1];
      if (last) {
        searchable.keep(last.sequence);
        removeTo.run(last.sequence);
      }
      return {
        removed,
        oldest: last ? last.sequence + 1 : oldest,
        more: removed === most,
      };
    },
    pruned: (next) => {
      oldest = next;
    },
    pruneKeys: (part, before) => {
      const kept = first.get();
      dedupe.prune(part, Math.min(before, kept ? decodeTime(kept.id) : before));
    },

    row: (sequence) => one.get(sequence),

    page: (query) => {
      const { after, limit, maxLength } = query;
      const { taken: rows, isCut } = takeLength(
        limit > 0 ? select(query) : [],
        maxLength,
        (row) => row.data.length,
      );
      const last = rows.at(-1);
      const isFull = isCut || rows.length >= limit;
      return {
        events: rows.map(toStoredEvent),
        next: isFull ? (last?.sequence ?? after) : latest,
        oldest,
        latest,
        gap: after + 1 < oldest ? { from: after + 1, to: oldest - 1 } : null,
      };
    },
  };
};

const readLatest = (db: Database): number =>
  db.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'events'").pluck().get() ?? 0;

/** Jumps in the index from one type to the next, instead of scanning the log. */
const readTypes = (db: Database): Set<string> =>
  new Set(
    db
      .prepare<[], string>(
        `WITH RECURSIVE found (type) AS (
           SELECT min(type) FROM events
           UNION ALL
           SELECT (SELECT min(type) FROM events WHERE type > found.type) FROM found WHERE found.type IS NOT NULL
         ) SELECT type FROM found WHERE type IS NOT NULL`,
      )
      .pluck()
      .all(),
  );

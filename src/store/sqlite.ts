// The store on SQLite: one file, one connection, one process, and an fsync before any promise resolves.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Database } from "better-sqlite3";
import { ulid } from "ulid";
import type { StoredEvent } from "../contract/new-event.ts";
import { type Observation, REPEATS_KEPT_MS, type Store } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { copyDatabase } from "./backup.ts";
import { createListeners } from "./listeners.ts";
import { createSearch } from "./search.ts";
import { createWriter } from "./sqlite-commit.ts";
import { dedupeKeys, PARTS } from "./sqlite-dedupe.ts";
import { storeError, toStoreError } from "./sqlite-errors.ts";
import { createEventLog, prepareEvent } from "./sqlite-events.ts";
import { createFigures } from "./sqlite-figures.ts";
import { createInsightMemory, FORGET_CHUNK } from "./sqlite-insights.ts";
import { type OnMigration, openDatabase } from "./sqlite-open.ts";
import { createPending, PENDING_COUNTED } from "./sqlite-pending.ts";
import { createState } from "./sqlite-state.ts";
import { createWriteStore } from "./sqlite-writes.ts";

export interface StoreOptions {
  /** Created with mode 0700 where it is missing; relative to the working directory. */
  dataDir: string;
  clock: Clock;
  /** 0 (inclusive) to 1 (exclusive): the random part of ULIDs. */
  random?: () => number;
  onMigration?: OnMigration;
}

/**
 * Opens the store of a data directory for this process alone.
 * @throws StoreError with one line: the directory, what is wrong, what to do
 */
export const openStore = async ({
  dataDir,
  clock,
  random = Math.random,
  onMigration,
}: StoreOptions): Promise<Store> => {
  const place = resolve(dataDir);
  const { db, path, close } = await openDatabase(place, onMigration);
  try {
    const { store, renew } = createStore({ db, path, place, clock, random, close });
    // A directory that takes no commit now is better known before any service is asked.
    await store.probe();
    renew();
    return store;
  } catch (error) {
    const reported = toStoreError(error, place);
    close();
    throw reported;
  }
};

interface Parts {
  db: Database;
  path: string;
  place: string;
  clock: Clock;
  random: () => number;
  close: () => void;
}

const createStore = ({ db, path, place, clock, random, close }: Parts): { store: Store; renew(): void } => {
  const epoch = readEpoch(db, () => ulid(Math.max(1, Math.floor(clock.now())), random));
  const insights = createInsightMemory(db);
  const log = createEventLog(db, insights, random);
  const search = createSearch({ path, place, clock });
  const state = createState(db);
  const figures = createFigures(db, log, path);
  const countProbe = db.prepare("UPDATE meta SET value = value + 1 WHERE key = 'probes'");
  const pending = createPending(db, log);
  const listeners = createListeners<[latest: number]>();
  const movements = createListeners<[consumer: string, sequence: number]>();
  const inode = statSync(path).ino;
  let notified = log.latest();
  let isClosed = false;

  const writer = createWriter(db, {
    clock,
    beforeCommit: () => {
      if (statSync(path, { throwIfNoEntry: false })?.ino !== inode)
        throw storeError("unusable", place, "nexusd.db was moved or removed while in use", {
          remedy: "put it back, or restart nexusd to begin a new log",
        });
    },
    afterCommit: () => {
      const latest = log.latest();
      if (latest === notified) return;
      notified = latest;
      listeners.notify(latest);
    },
    toError: (error) => toStoreError(error, place),
  });

  const assertOpen = () => {
    if (isClosed)
      throw storeError("unusable", place, "the store is closed", {
        remedy: "nexusd is stopping: start it again",
      });
  };
  const read = async <T>(query: () => T): Promise<T> => {
    assertOpen();
    try {
      return query();
    } catch (error) {
      throw toStoreError(error, place);
    }
  };
  const write = async <T>(work: () => T, committed?: (result: T) => void, canWait?: boolean): Promise<T> => {
    assertOpen();
    return writer.write(work, committed, canWait);
  };

  /** Inside a transaction. @returns the events that were new */
  const observe = (unit: ReturnType<typeof prepareObservation>): StoredEvent[] => {
    const now = clock.now();
    const updatedAt = isoTime(now);
    for (const keys of unit.known) log.remember(keys, now);
    const stored = unit.events.flatMap((event) => log.append(event, now) ?? []);
    if (unit.cursor !== undefined) state.putCursor(unit.source, unit.cursor, updatedAt);
    for (const { kind, key } of unit.remove) state.removeRecord(kind, key);
    for (const { kind, key, value } of unit.put) state.putRecord(kind, key, value, updatedAt);
    for (const { name, value } of unit.secrets) state.putSecret(name, value);
    return stored;
  };

  /** Indexes what an earlier version left, at its leisure: a store that is closed, or fails, goes on at the next start. */
  const renew = async (): Promise<void> => {
    while (!isClosed && insights.hasOlder()) await write(() => insights.renew(), undefined, true);
  };

  const store: Store = {
    epoch,

    commitObservation: async (observation) => {
      const unit = prepareObservation(observation);
      const appended = await write(
        () => observe(unit),
        (stored) => log.appended(stored),
        observation.canWait,
      );
      return { appended, duplicates: unit.events.length - appended.length, latest: log.latest() };
    },

    readEvents: (query) => read(() => log.page(query)),
    readInsights: async (query) => {
      const { text, target, minConfidence } = query;
      const isQuick = text === undefined && target === undefined && minConfidence === undefined;
      if (isQuick) return read(() => insights.read(query));
      assertOpen();
      return search.find(query).catch((error: unknown) => {
        throw toStoreError(error, place);
      });
    },
    readEventTypes: () => read(() => log.types()),
    readCursor: (source) => read(() => state.readCursor(source)),
    readRecords: (kind, part) => read(() => state.readRecords(kind, part)),
    readRecord: (kind, key) => read(() => state.readRecord(kind, key)),
    readSecret: (name) => read(() => state.readSecret(name)),

    putConsumer: (name, from, types, most = Number.POSITIVE_INFINITY, placing = {}) =>
      write(
        () => {
          const { proof, bindTo, isNew } = placing;
          const isThere = state.readConsumer(name) !== undefined;
          if (isThere && isNew) return "exists";
          if (!state.mayUse(name, proof)) return "bound";
          if (!isThere && state.countConsumers() >= most) return undefined;
          const position = from === "oldest" ? log.oldest() - 1 : from === "latest" ? log.latest() : from;
          return state.putConsumer(name, position, types, isoTime(clock.now()), bindTo);
        },
        (placed) => {
          if (typeof placed === "object") movements.notify(name, placed.position);
        },
      ),
    readConsumer: (name) => read(() => state.readConsumer(name)),
    readConsumers: (page) => read(() => state.readConsumers(page)),
    ackConsumer: async (name, sequence, { proof } = {}) => {
      const acknowledged = await write(
        () =>
          state.mayUse(name, proof) ? state.ackConsumer(name, sequence, isoTime(clock.now())) : undefined,
        (moved) => {
          if (moved?.isMoved) movements.notify(name, sequence);
        },
      );
      return acknowledged === undefined ? "bound" : acknowledged.consumer;
    },
    deleteConsumer: (name, { proof } = {}) =>
      write(
        () => (state.mayUse(name, proof) ? state.deleteConsumer(name) : "bound"),
        (isDeleted) => {
          if (isDeleted === true) movements.notify(name, 0);
        },
      ),
    pending: (name, most = PENDING_COUNTED) =>
      read(() => {
        const consumer = state.readConsumer(name);
        return consumer && pending(consumer, most);
      }),
    onAcknowledge: movements.add,

    ...createWriteStore({
      ...{ db, log, read, write },
      now: () => clock.now(),
      observing: (observation) => {
        const unit = prepareObservation(observation);
        return () => observe(unit);
      },
    }),

    pruneEvents: async (limits) => {
      let removed = 0;
      // In small transactions, so that commits and readers get their turn in between.
      for (let more = true; more; ) {
        const chunk = await write(
          () => log.prune(limits, clock.now()),
          ({ oldest }) => log.pruned(oldest),
        );
        removed += chunk.removed;
        more = chunk.more;
      }
      const { repeatsBefore } = limits;
      const before = repeatsBefore === undefined ? clock.now() - REPEATS_KEPT_MS : Date.parse(repeatsBefore);
      for (let part = 0; part < PARTS; part++) await write(() => log.pruneKeys(part, before));
      return { removed };
    },

    forgetInsights: async (before) => {
      let removed = 0;
      for (let chunk = FORGET_CHUNK; chunk === FORGET_CHUNK; removed += chunk)
        chunk = await write(() => insights.forget(before));
      return { removed };
    },

    onAppend: listeners.add,
    backup: async () => {
      assertOpen();
      try {
        const copy = await copyDatabase(db, place);
        return { size: (await copy.stat()).size, stream: copy.createReadStream() };
      } catch (error) {
        assertOpen();
        throw toStoreError(error, place);
      }
    },
    readFigures: () => read(figures),
    probe: async () => {
      await write(() => countProbe.run());
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      writer.flush();
      listeners.clear();
      movements.clear();
      await search.close();
      try {
        close();
      } catch (error) {
        throw toStoreError(error, place);
      }
    },
  };
  return { store, renew: () => void renew().catch(() => {}) };
};

/** As JSON text, so that what the caller changes later is not what is stored. */
const prepareObservation = (observation: Observation) => ({
  source: observation.source,
  cursor: observation.cursor === undefined ? undefined : stringifyJson(observation.cursor),
  events: (observation.events ?? []).map(prepareEvent),
  known: (observation.known ?? []).map(dedupeKeys),
  put: (observation.put ?? []).map(({ kind, key, value }) => ({ kind, key, value: stringifyJson(value) })),
  remove: observation.remove ?? [],
  secrets: observation.secrets ?? [],
});

const readEpoch = (db: Database, create: () => string): string => {
  const find = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'epoch'").pluck();
  const found = find.get();
  if (found !== undefined) return found;
  const epoch = create();
  db.prepare<[string]>("INSERT INTO meta (key, value) VALUES ('epoch', ?), ('probes', 0)").run(epoch);
  return epoch;
};

// The store on SQLite: one file, one connection, one process, and an fsync before any promise resolves.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Database } from "better-sqlite3";
import { ulid } from "ulid";
import type { Fleet } from "../../contract/fleet.ts";
import type { Store } from "../../contract/store.ts";
import type { Clock } from "../../core/clock.ts";
import { createListeners } from "../listeners.ts";
import { createLocalFleet } from "../local-fleet.ts";
import { prepareObservation } from "../prepared.ts";
import type { ReadUnit, WriteUnit } from "../units.ts";
import { copyDatabase } from "./backup.ts";
import { createWriter } from "./commit.ts";
import { createConsumerStore } from "./consumers.ts";
import { createCounts } from "./counts.ts";
import { storeError, toStoreError } from "./errors.ts";
import { createEventLog } from "./events.ts";
import { createFigures } from "./figures.ts";
import { createObserve } from "./observations.ts";
import { createShrinking, type OnMigration, openDatabase } from "./open.ts";
import { createPending } from "./pending.ts";
import { createRemoval } from "./removal.ts";
import { createSearch } from "./search.ts";
import { createSearchMemory } from "./search-memory.ts";
import { createState } from "./state.ts";
import { createWriteStore } from "./writes.ts";

export interface StoreOptions {
  /** Created with mode 0700 if missing; relative to the working directory. */
  dataDir: string;
  clock: Clock;
  /** The name of this node, and its version of nexusd. */
  node?: string;
  version?: string;
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
  node = "nexusd",
  version = "",
  random = Math.random,
  onMigration,
}: StoreOptions): Promise<Store> => {
  const place = resolve(dataDir);
  const { db, path, close } = await openDatabase(place, onMigration);
  try {
    const { store, renew } = createStore({
      ...{ db, path, place, clock, random, close },
      fleet: createLocalFleet({ name: node, version }, place, clock),
    });
    // A directory that cannot take a commit is reported before any service is asked.
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
  fleet: Fleet;
}

const createStore = ({
  db,
  path,
  place,
  clock,
  random,
  close,
  fleet,
}: Parts): { store: Store; renew(): void } => {
  const epoch = readEpoch(db, () => ulid(Math.max(1, Math.floor(clock.now())), random));
  const searchable = createSearchMemory(db);
  const log = createEventLog(db, searchable, random);
  const search = createSearch({ path, place, clock });
  const state = createState(db);
  const figures = createFigures(db, log, path);
  const count = createCounts(db, log);
  const countProbe = db.prepare("UPDATE meta SET value = value + 1 WHERE key = 'probes'");
  const listeners = createListeners<[latest: number]>();
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
  const read: ReadUnit = async (query) => {
    assertOpen();
    try {
      return query();
    } catch (error) {
      throw toStoreError(error, place);
    }
  };
  const write: WriteUnit = async (work, committed, canWait) => {
    assertOpen();
    return writer.write(work, committed, canWait);
  };

  const observe = createObserve({ log, state, clock });
  const { clear: clearConsumers, ...consumers } = createConsumerStore({
    ...{ state, log, read, write, clock },
    countPending: createPending(db, log),
  });

  /** Indexes in small steps what an earlier version left. If the store is closed or fails, the next start goes on. */
  const renew = async (): Promise<void> => {
    while (!isClosed && searchable.hasOlder()) await write(() => searchable.renew(), undefined, true);
  };

  const store: Store = {
    epoch,
    fleet,

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
    searchEvents: async (query) => {
      const { text, target, minConfidence } = query;
      const isQuick = text === undefined && target === undefined && minConfidence === undefined;
      if (isQuick) return read(() => searchable.read(query));
      assertOpen();
      return search.find(query).catch((error: unknown) => {
        throw toStoreError(error, place);
      });
    },
    countEvents: (range) => read(() => count(range)),
    readEventTypes: () => read(() => log.types()),
    readCursor: (source) => read(() => state.readCursor(source)),
    readRecords: (kind, part) => read(() => state.readRecords(kind, part)),
    readRecord: (kind, key) => read(() => state.readRecord(kind, key)),
    readSecret: (name) => read(() => state.readSecret(name)),

    ...consumers,

    ...createWriteStore({
      ...{ db, log, read, write },
      now: () => clock.now(),
      observing: (observation) => {
        const unit = prepareObservation(observation);
        return () => observe(unit);
      },
    }),

    ...createRemoval({ log, searchable, write, shrinking: createShrinking(db), clock }),

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
      clearConsumers();
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

const readEpoch = (db: Database, create: () => string): string => {
  const find = db.prepare<[], string>("SELECT value FROM meta WHERE key = 'epoch'").pluck();
  const found = find.get();
  if (found !== undefined) return found;
  const epoch = create();
  db.prepare<[string]>("INSERT INTO meta (key, value) VALUES ('epoch', ?), ('probes', 0)").run(epoch);
  return epoch;
};

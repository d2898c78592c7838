// The store on PostgreSQL: one schema of a database, one connection that commits and a few that read.

import { monotonicFactory, ulid } from "ulid";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { SharedValues } from "../../contract/shared-values.ts";
import type { Store } from "../../contract/store.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import { createListeners } from "../listeners.ts";
import { createLocalFleet } from "../local-fleet.ts";
import { prepareObservation } from "../prepared.ts";
import { takeLength } from "../take-length.ts";
import type { Connection, ConnectionSettings } from "./connection.ts";
import { createConsumerStore } from "./consumers.ts";
import { postgresError, toPostgresError } from "./errors.ts";
import { readFigures } from "./figures.ts";
import { createHeadMemory, type HeadMemory } from "./head-memory.ts";
import { searchStatement } from "./insights.ts";
import { createKeyring } from "./keyring.ts";
import { countEvents, readPage } from "./log.ts";
import { createObserve } from "./observations.ts";
import { openWriting } from "./open.ts";
import { placeOf } from "./place.ts";
import { createReaders } from "./readers.ts";
import { createRemoval } from "./removal.ts";
import { checkKeys, createSecretStore } from "./secrets.ts";
import { createSharedRecords, readPosition } from "./shared-records.ts";
import { createSharedValues } from "./shared-values.ts";
import { readCursor, readRecord, readRecords } from "./state.ts";
import type { ReadUnit, WriteUnit } from "./units.ts";
import { createWriter } from "./writer.ts";
import { createWriteStore, keysOf } from "./writes.ts";

export interface PostgresOptions {
  url: string;
  schema: string;
  /** The name of this node, and its version of nexusd. */
  node: string;
  version?: string;
  /** 32 bytes each: the first encrypts, all of them decrypt. */
  keys: readonly Buffer[];
  clock: Clock;
  /** Where the end of the log is remembered, to detect a database that went back in time. */
  dataDir?: string;
  /** 0 (inclusive) to 1 (exclusive): the random part of ULIDs. */
  random?: () => number;
  onMigration?: () => Promise<void>;
  /** Called once for each notice that a person should see. */
  onNotice?: (text: string) => void;
}

export interface PostgresStore extends Store {
  /** From now on the first of these keys encrypts; stored secrets are re-encrypted. @throws StoreError */
  setKeys(keys: readonly Buffer[]): Promise<void>;
  readonly values: SharedValues;
}

/**
 * Opens the store in a schema, exclusively for this process.
 * @throws StoreError with a one-line message: the place, the problem, the remedy
 */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const { url, schema, node, clock, random = Math.random, onMigration, onNotice = () => {} } = options;
  const place = placeOf(url, schema);
  const settings: ConnectionSettings = { url, schema, place, applicationName: `nexusd ${node}` };
  const memory = createHeadMemory(options.dataDir, clock);
  const first = await openWriting(settings, clock, undefined, onMigration);
  const newEpoch = () => ulid(Math.max(1, Math.floor(clock.now())), random);
  try {
    const unfinished = await first.query("SELECT FROM meta WHERE key = 'moving'");
    if (unfinished.length > 0)
      throw postgresError("unusable", place, "a move into it is not finished", {
        remedy: "run nexusctl db move --to postgres again",
      });
    await first.query("INSERT INTO commits (node, token) VALUES ($1, '') ON CONFLICT DO NOTHING", [node]);
    await checkKeys(first, createKeyring(options.keys), place);
    let epoch = await readEpoch(first, newEpoch);
    const why = await memory.lacks(first, epoch);
    if (why !== undefined) {
      epoch = await changeEpoch(first, epoch, newEpoch());
      onNotice(`${place}: the database went back in time: ${why}; its log has a new epoch, ${epoch}`);
    }
    const types = await first.query<{ type: string }>("SELECT type FROM event_types");
    const [head] = await first.query<{ latest: number; id: string | null }>(
      "SELECT latest, (SELECT id FROM events WHERE sequence = latest) AS id FROM head",
    );
    const position = await readPosition(first);
    const { latest, id } = head ?? { latest: 0, id: null };
    memory.note({ epoch, latest, id });
    const { store, renew } = createStore({
      ...{ options, settings, first, epoch, memory, latest, position, newEpoch },
      knownTypes: new Set(types.map(({ type }) => type)),
    });
    renew().catch(() => {}); // The next start continues.
    return store;
  } catch (error) {
    first.destroy();
    throw toPostgresError(error, place);
  }
}

async function readEpoch(connection: Connection, create: () => string): Promise<string> {
  await connection.query(
    "INSERT INTO meta (key, value) VALUES ('epoch', $1), ('probes', '0') ON CONFLICT DO NOTHING",
    [create()],
  );
  const [row] = await connection.query<{ value: string }>("SELECT value FROM meta WHERE key = 'epoch'");
  if (!row) throw new Error("the epoch is not there after it was written");
  return row.value;
}

/** @returns the new epoch, which another node may have set */
async function changeEpoch(connection: Connection, before: string, after: string): Promise<string> {
  await connection.query("UPDATE meta SET value = $2 WHERE key = 'epoch' AND value = $1", [before, after]);
  return readEpoch(connection, () => after);
}

interface Parts {
  options: PostgresOptions;
  settings: ConnectionSettings;
  first: Connection;
  epoch: string;
  memory: HeadMemory;
  newEpoch(): string;
  knownTypes: Set<string>;
  latest: number;
  /** The last change of a record. */
  position: number;
}

function createStore(parts: Parts): { store: PostgresStore; renew(): Promise<number> } {
  const { options, settings, first, epoch, memory, newEpoch, knownTypes, latest, position } = parts;
  const { clock, node, random = Math.random } = options;
  const { place } = settings;
  const listeners = createListeners<[latest: number]>();
  const counts = new Map<string, number>();
  let newest = latest;
  let notified = latest;
  let isClosed = false;
  let next: Connection | undefined = first;
  let earlier: number | undefined;

  const readers = createReaders(settings, clock);
  const { close: closeValues, ...values } = createSharedValues(settings);
  const writer = createWriter({
    ...{ clock, place, node, knownTypes },
    nextId: monotonicFactory(random),
    connect: async () => {
      const connection = next ?? (await openAgain());
      next = undefined;
      earlier = connection.pid;
      return connection;
    },
    onCommit: (now, id) => {
      newest = Math.max(newest, now);
      if (id !== undefined) memory.note({ epoch, latest: now, id });
    },
    afterCommit: () => {
      if (newest === notified) return;
      notified = newest;
      listeners.notify(newest);
    },
  });

  /** Reading on from here would return events that other readers never see, so everything restarts with a new epoch. */
  const openAgain = async (): Promise<Connection> => {
    const connection = await openWriting(settings, clock, earlier);
    const is = await readEpoch(connection, newEpoch);
    const why = is === epoch ? await memory.lacks(connection, epoch) : `its epoch is ${is}`;
    if (why === undefined) return connection;
    if (is === epoch) await changeEpoch(connection, epoch, newEpoch());
    await connection.end();
    throw postgresError("unusable", place, `the database went back in time: ${why}`, {
      remedy: "nexusd starts again, with a new epoch",
    });
  };

  const assertOpen = () => {
    if (isClosed)
      throw postgresError("unusable", place, "the store is closed", {
        remedy: "nexusd is stopping: start it again",
      });
  };
  const read: ReadUnit = async (query) => {
    assertOpen();
    return readers.read(query);
  };
  const snapshot: ReadUnit = async (query) => {
    assertOpen();
    return readers.snapshot(query);
  };
  const write: WriteUnit = async (work, committed, { keys, canWait } = {}) => {
    assertOpen();
    return writer.write({ run: work, ...(keys && { keys }) }, committed, canWait);
  };

  const secrets = createSecretStore({ keys: options.keys, place, read, write });
  const shared = createSharedRecords({ read, clock, position });
  const observe = createObserve(clock, secrets);
  const appended = (events: readonly StoredEvent[]) => {
    for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  };
  const { clear: clearConsumers, ...consumers } = createConsumerStore({ read, write, clock });

  const store: PostgresStore = {
    epoch,
    fleet: createLocalFleet({ name: node, version: options.version ?? "" }, place, clock),
    shared: { watch: shared.watch, look: shared.look },
    setKeys: secrets.setKeys,
    values,

    commitObservation: async (observation) => {
      const unit = prepareObservation(observation);
      const stored = await write((transaction) => observe(transaction, unit), appended, {
        keys: keysOf([unit]),
        ...(observation.canWait && { canWait: true }),
      });
      return { appended: stored, duplicates: unit.events.length - stored.length, latest: newest };
    },

    readEvents: (query) => read((on) => readPage(on, query)),
    countEvents: (range) => read((on) => countEvents(on, range)),
    readEventTypes: () =>
      read(async (on) =>
        (await on.query<{ type: string }>("SELECT type FROM event_types ORDER BY type")).map(
          ({ type }) => type,
        ),
      ),
    readCursor: (source) => read((on) => readCursor(on, source)),
    readRecords: (kind, part) => read((on) => readRecords(on, kind, part)),
    readRecord: (kind, key) => read((on) => readRecord(on, kind, key)),
    readSecret: secrets.read,
    searchEvents: async (query) => {
      const statement = searchStatement(query);
      if (!statement) return [];
      return read(async (on) => {
        const rows = await on.query<{ sequence: number; time: string; data: string }>(
          statement.text,
          statement.values,
        );
        return takeLength(rows, query.maxLength, ({ data }) => data.length).taken;
      });
    },

    ...consumers,
    ...createWriteStore({ now: () => clock.now(), read, snapshot, write, observe, appended }),
    ...createRemoval(write, clock),

    onAppend: listeners.add,
    backup: async () => {
      throw postgresError("unusable", place, "nexusd makes no copy of a PostgreSQL database", {
        remedy: "use pg_dump (docs/fleet.md)",
      });
    },
    readFigures: () => read((on) => readFigures(on, counts)),
    probe: async () => {
      await write((transaction) =>
        transaction.run("UPDATE meta SET value = $1 WHERE key = 'probes'", [isoTime(clock.now())]),
      );
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      shared.close();
      await writer.close();
      await next?.end();
      memory.flush();
      listeners.clear();
      clearConsumers();
      await closeValues();
      await readers.close();
    },
  };
  return { store, renew: secrets.renew };
}

// The store on PostgreSQL: one schema of a database, which the nodes of a fleet share. Each has one connection that
// commits, and a few that read.

import { monotonicFactory, ulid } from "ulid";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { SharedValues } from "../../contract/shared-values.ts";
import type { Store, StoreError } from "../../contract/store.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import { createListeners } from "../listeners.ts";
import { prepareObservation } from "../prepared.ts";
import { takeLength } from "../take-length.ts";
import type { Connection, ConnectionSettings } from "./connection.ts";
import { createConsumerStore } from "./consumers.ts";
import { postgresError, toPostgresError } from "./errors.ts";
import { readFigures } from "./figures.ts";
import { joinFleet } from "./fleet/fleet.ts";
import { assertSharedKeys, join } from "./fleet/join.ts";
import { channelOf } from "./fleet/listener.ts";
import { claimSlot, newIncarnation, openSessions, type Sessions, SLOTS } from "./fleet/slots.ts";
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

/** A shorter time than at the start, so that a node is soon back when the way to the server is. */
const RECONNECT_WITHIN_MS = 2500;

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
 * Opens the store in a schema, as one node of those that share it.
 * @throws StoreError with a one-line message: the place, the problem, the remedy
 */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const { url, schema, node, clock, random = Math.random, onMigration, onNotice = () => {} } = options;
  const place = placeOf(url, schema);
  const settings: ConnectionSettings = { url, schema, place, applicationName: `nexusd ${node}` };
  const memory = createHeadMemory(options.dataDir, clock);
  const incarnation = newIncarnation(random);
  const first = await openWriting(settings, clock, "shared", onMigration);
  const sleep = (ms: number) => clock.sleep(ms);
  let sessions: Sessions | undefined;
  const newEpoch = () => ulid(Math.max(1, Math.floor(clock.now())), random);
  try {
    const unfinished = await first.query("SELECT FROM meta WHERE key = 'moving'");
    if (unfinished.length > 0)
      throw postgresError("unusable", place, "a move into it is not finished", {
        remedy: "run nexusctl db move --to postgres again",
      });
    const keyring = createKeyring(options.keys);
    await checkKeys(first, keyring, place);
    sessions = await openSessions(settings, incarnation, sleep);
    await claimSlot(first, incarnation + SLOTS.writer, sleep);
    const version = options.version ?? "";
    await join(first, { name: node, version, incarnation, keys: keyring.ids }, place, clock);
    let epoch = await readEpoch(first, newEpoch);
    const why = await memory.lacks(first, epoch);
    if (why !== undefined) {
      epoch = await changeEpoch(first, settings, epoch, newEpoch());
      onNotice(`${place}: the database went back in time: ${why}; its log has a new epoch, ${epoch}`);
    }
    const types = await first.query<{ type: string }>("SELECT type FROM event_types");
    const [head] = await first.query<{ latest: number; id: string | null }>(
      "SELECT latest, last_id AS id FROM head",
    );
    const position = await readPosition(first);
    const { latest, id } = head ?? { latest: 0, id: null };
    memory.note({ epoch, latest, id });
    const { store, renew, started } = createStore({
      ...{ options, settings, first, epoch, memory, latest, position, newEpoch, incarnation, sessions },
      knownTypes: new Set(types.map(({ type }) => type)),
    });
    renew().catch(() => {}); // The next start continues.
    await started();
    return store;
  } catch (error) {
    for (const opened of [first, sessions?.fleet, sessions?.listener]) opened?.destroy();
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

/** Tells the other nodes. @returns the new epoch, which another node may have set */
async function changeEpoch(
  connection: Connection,
  { schema }: Pick<ConnectionSettings, "schema">,
  before: string,
  after: string,
): Promise<string> {
  await connection.query("UPDATE meta SET value = $2 WHERE key = 'epoch' AND value = $1", [before, after]);
  await connection.query("SELECT pg_notify($1, $2)", [
    channelOf(schema),
    JSON.stringify({ by: 0, epoch: true }),
  ]);
  return readEpoch(connection, () => after);
}

interface Parts {
  options: PostgresOptions;
  settings: ConnectionSettings;
  first: Connection;
  epoch: string;
  memory: HeadMemory;
  incarnation: number;
  sessions: Sessions;
  newEpoch(): string;
  knownTypes: Set<string>;
  latest: number;
  /** The last change of a record. */
  position: number;
}

function createStore(parts: Parts): {
  store: PostgresStore;
  renew(): Promise<number>;
  started(): Promise<void>;
} {
  const {
    options,
    settings,
    first,
    epoch,
    memory,
    newEpoch,
    knownTypes,
    latest,
    position,
    incarnation,
    sessions,
  } = parts;
  const { clock, node, random = Math.random } = options;
  const { place } = settings;
  const listeners = createListeners<[latest: number]>();
  const counts = new Map<string, number>();
  let newest = latest;
  let notified = latest;
  let isClosed = false;
  /** Why only a restart helps. */
  let fatal: StoreError | undefined;
  let next: Connection | undefined = first;

  /**
   * Called with each new connection, before anything is read or committed on it. Reading on from a database that went
   * back in time would return events that other readers never see, so all nodes restart with one new epoch.
   */
  const verify = async (connection: Connection): Promise<void> => {
    if (fatal) throw fatal;
    const [row] = await connection.query<{ recovering: boolean; epoch: string | null }>(
      "SELECT pg_is_in_recovery() AS recovering, (SELECT value FROM meta WHERE key = 'epoch') AS epoch",
    );
    if (row?.recovering) throw postgresError("read_only", place, "it is a replica, which takes no writes");
    if (!isSame(row?.epoch)) throw fatal;
    const why = await memory.lacks(connection, epoch);
    if (why === undefined) return;
    const error = end(why);
    // Where that fails, the next start does it.
    await changeEpoch(connection, settings, epoch, newEpoch());
    throw error;
  };
  const isSame = (is: string | null | undefined): boolean => {
    if (is === epoch) return true;
    end(`its epoch is ${is}`);
    return false;
  };
  const end = (why: string): StoreError => {
    fatal ??= postgresError("unusable", place, `the database went back in time: ${why}`, {
      remedy: "nexusd starts again, with a new epoch",
    });
    return fatal;
  };

  /** The log ends at least here, whoever committed it. */
  const seen = (now: number, id: string | null): void => {
    if (now <= newest) return;
    newest = now;
    memory.note({ epoch, latest: now, id });
  };
  const tellReaders = () => {
    if (newest === notified) return;
    notified = newest;
    listeners.notify(newest);
  };

  const readers = createReaders(settings, clock, verify);
  const { close: closeValues, ...values } = createSharedValues(settings);
  const writer = createWriter({
    ...{ clock, place, incarnation, knownTypes },
    nextId: monotonicFactory(random),
    connect: async () => {
      const connection = next ?? (await openAgain());
      next = undefined;
      return connection;
    },
    onCommit: (now, id) => {
      if (now > newest) fleet.teller.tell({ latest: now, id });
      seen(now, id);
    },
    afterCommit: tellReaders,
  });

  const openAgain = async (): Promise<Connection> => {
    if (fatal) throw fatal;
    const connection = await openWriting(
      { ...settings, connectWithinMs: RECONNECT_WITHIN_MS },
      clock,
      "shared",
    );
    try {
      await claimSlot(connection, incarnation + SLOTS.writer, (ms) => clock.sleep(ms));
      await verify(connection);
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  };

  const assertOpen = () => {
    if (isClosed)
      throw postgresError("unusable", place, "the store is closed", {
        remedy: "nexusd is stopping: start it again",
      });
    if (fatal) throw fatal;
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

  const shared = createSharedRecords({ read, clock, position });
  const secrets = createSecretStore({
    ...{ keys: options.keys, place, read, write },
    announce: async (transaction, ids) => {
      await assertSharedKeys(transaction, node, ids, place);
      await transaction.run("UPDATE nodes SET keys = $2::text[] WHERE incarnation = $1", [incarnation, ids]);
    },
  });
  const observe = createObserve(clock, secrets);
  const appended = (events: readonly StoredEvent[]) => {
    for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  };
  const {
    clear: clearConsumers,
    heard: consumerMoved,
    ...consumers
  } = createConsumerStore({
    ...{ read, write, clock },
    onMoved: (name, position) => fleet.teller.moved(name, position),
  });

  const fleet = joinFleet({
    ...{ settings, clock, node, incarnation, read, verify, sessions },
    write: (work) => writer.write({ run: work }),
    onLook: (look) => {
      if (!isSame(look.epoch)) return;
      seen(look.latest, look.id);
      tellReaders();
    },
    onMessage: (heard) => {
      if (heard.latest !== undefined) {
        seen(heard.latest, heard.id ?? null);
        tellReaders();
      }
      for (const [name, position] of heard.moved ?? []) consumerMoved(name, position);
    },
    onListening: () => {
      // Whose movements were not heard.
      read((on) => on.query<{ name: string; position: number }>("SELECT name, position FROM consumers"))
        .then((rows) => {
          if (!isClosed) for (const { name, position } of rows) consumerMoved(name, position);
        })
        .catch(() => {});
    },
    onCut: () => {
      writer.drop();
      readers.drop();
    },
    onFatal: (error) => {
      fatal ??= error;
    },
  });

  const store: PostgresStore = {
    epoch,
    fleet,
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
      // Where that cannot be committed, the other nodes notice the end on their own.
      const left = fleet.leave().catch(() => {});
      await writer.close();
      await left;
      await next?.end();
      await fleet.close();
      memory.flush();
      listeners.clear();
      clearConsumers();
      await closeValues();
      await readers.close();
    },
  };
  return { store, renew: secrets.renew, started: fleet.started };
}

// The reading connections: a small pool, opened on demand, closed when idle for a while.

import type { Clock } from "../../core/clock.ts";
import { Connection, type ConnectionSettings } from "./connection.ts";
import { endsSession, toPostgresError } from "./errors.ts";

const MOST = 3;
const IDLE_MS = 60_000;

export interface Readers {
  /** Runs the queries on a connection, retrying once on a new one if it was lost. @throws StoreError */
  read<T>(queries: (connection: Connection) => Promise<T>): Promise<T>;
  /** The same in one snapshot of the database. */
  snapshot<T>(queries: (connection: Connection) => Promise<T>): Promise<T>;
  /** Gives all connections up for other ones. */
  drop(): void;
  close(): Promise<void>;
}

/** @param verify refuses a database that is not the same any more, before anything is read from it */
export function createReaders(
  settings: ConnectionSettings,
  clock: Pick<Clock, "after">,
  verify: (connection: Connection) => Promise<void>,
): Readers {
  const idle: Connection[] = [];
  const busy = new Set<Connection>();
  const waiting: (() => void)[] = [];
  let taken = 0;
  let stopIdling = () => {};

  const take = async (isFresh: boolean): Promise<Connection> => {
    while (taken >= MOST) await new Promise<void>((resolve) => waiting.push(resolve));
    taken += 1;
    stopIdling();
    try {
      if (isFresh) for (const connection of idle.splice(0)) connection.destroy();
      for (let found = idle.pop(); found; found = idle.pop()) if (!found.isLost) return found;
      return await open();
    } catch (error) {
      give(undefined);
      throw error;
    }
  };

  const open = async (): Promise<Connection> => {
    const opened = await Connection.open(settings);
    try {
      await verify(opened);
      return opened;
    } catch (error) {
      opened.destroy();
      throw toPostgresError(error, settings.place);
    }
  };

  const give = (connection: Connection | undefined): void => {
    taken -= 1;
    if (connection && !connection.isLost) idle.push(connection);
    waiting.shift()?.();
    if (taken === 0) stopIdling = clock.after(IDLE_MS, () => void closeIdle());
  };

  const closeIdle = async () =>
    void (await Promise.all(idle.splice(0).map((connection) => connection.end())));

  const read: Readers["read"] = async (queries) => {
    for (let attempt = 1; ; attempt++) {
      const connection = await take(attempt > 1);
      busy.add(connection);
      try {
        return await queries(connection);
      } catch (error) {
        if (!connection.isLost || attempt > 1) throw toPostgresError(error, settings.place);
        if (!endsSession(error)) throw toPostgresError(error, settings.place);
      } finally {
        busy.delete(connection);
        give(connection);
      }
    }
  };

  return {
    read,
    snapshot: (queries) =>
      read(async (connection) => {
        await connection.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        try {
          return await queries(connection);
        } finally {
          if (!connection.isLost) await connection.script("ROLLBACK");
        }
      }),
    drop: () => {
      for (const connection of [...idle.splice(0), ...busy]) connection.destroy();
    },
    close: async () => {
      stopIdling();
      await closeIdle();
    },
  };
}

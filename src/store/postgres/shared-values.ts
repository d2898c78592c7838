// The values that nodes share beside the log, on a connection of their own: they never wait for the lock on the head.

import type { SharedValue, SharedValues } from "../../contract/shared-values.ts";
import { Connection, type ConnectionSettings } from "./connection.ts";
import { toPostgresError } from "./errors.ts";

export interface PostgresValues extends SharedValues {
  close(): Promise<void>;
}

/** Connects when it is first used. */
export function createSharedValues(settings: ConnectionSettings): PostgresValues {
  let connection: Promise<Connection> | undefined;
  let isClosed = false;

  /** A statement is never repeated here: it may have been executed. */
  const on = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    try {
      if ((await connection?.catch(() => undefined))?.isLost !== false) connection = undefined;
      if (isClosed) throw new Error("the store is closed");
      connection ??= Connection.open(settings);
      return await work(await connection);
    } catch (error) {
      throw toPostgresError(error, settings.place);
    }
  };

  return {
    read: (name) =>
      on(async (connection) => {
        const [row] = await connection.query<SharedValue>(
          "SELECT version, text FROM shared_values WHERE name = $1",
          [name],
        );
        return row;
      }),
    swap: (name, version, text) =>
      on(async (connection) => {
        const statement =
          version === 0
            ? "INSERT INTO shared_values (name, version, text) VALUES ($1, $2::bigint + 1, $3) ON CONFLICT DO NOTHING"
            : "UPDATE shared_values SET version = version + 1, text = $3 WHERE name = $1 AND version = $2";
        return (await connection.run(statement, [name, version, text])).rowCount === 1;
      }),
    async close() {
      isClosed = true;
      await (await connection?.catch(() => undefined))?.end();
    },
  };
}

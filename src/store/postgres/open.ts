// The connection that commits.

import type { Clock } from "../../core/clock.ts";
import { Connection, type ConnectionSettings } from "./connection.ts";
import { toPostgresError } from "./errors.ts";
import { refusePooler, takeLock } from "./lock.ts";
import { migrate } from "./migrate.ts";

/**
 * A connection that holds the lock of the schema, which is then migrated to the newest version.
 * @param earlier the process id of the connection that it replaces
 * @throws StoreError
 */
export async function openWriting(
  settings: ConnectionSettings,
  clock: Pick<Clock, "sleep">,
  earlier: number | undefined,
  onMigration?: () => Promise<void>,
): Promise<Connection> {
  const connection = await Connection.open(settings);
  try {
    await refusePooler(connection, settings);
    await takeLock(connection, settings, earlier, (ms) => clock.sleep(ms));
    await migrate(connection, { ...settings, ...(onMigration && { onMigration }) });
    return connection;
  } catch (error) {
    connection.destroy();
    throw toPostgresError(error, settings.place);
  }
}

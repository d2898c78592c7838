// The connection that commits.

import type { Clock } from "../../core/clock.ts";
import { Connection, type ConnectionSettings } from "./connection.ts";
import { toPostgresError } from "./errors.ts";
import { freeLock, refusePooler, shareLock, takeLock } from "./lock.ts";
import { knownVersion, migrate, schemaVersion } from "./migrate.ts";

type OnMigration = (() => Promise<void>) | undefined;

/**
 * A connection that holds the lock of the schema, which is then migrated to the newest version. Nodes that start at once
 * wait for the one that migrates.
 * @param mode "shared": with other nodes, if none of them is there while it is migrated
 * @throws StoreError
 */
export async function openWriting(
  settings: ConnectionSettings,
  clock: Pick<Clock, "sleep">,
  mode: "alone" | "shared",
  onMigration?: OnMigration,
): Promise<Connection> {
  const connection = await Connection.open(settings);
  try {
    await refusePooler(connection, settings);
    if (mode === "shared") await share(connection, settings, clock, onMigration);
    else {
      await takeLock(connection, settings, "alone", (ms) => clock.sleep(ms));
      await migrate(connection, { ...settings, ...(onMigration && { onMigration }) });
    }
    return connection;
  } catch (error) {
    connection.destroy();
    throw toPostgresError(error, settings.place);
  }
}

async function share(
  connection: Connection,
  settings: ConnectionSettings,
  clock: Pick<Clock, "sleep">,
  onMigration: OnMigration,
): Promise<void> {
  const { schema } = settings;
  const sleep = (ms: number) => clock.sleep(ms);
  const isOlder = async () => (await schemaVersion(connection)) < knownVersion();
  for (;;) {
    if (await isOlder()) {
      // No node may be there that knows the schema only as it is now.
      const isAlone = await takeLock(connection, settings, "alone", sleep, isOlder);
      if (!isAlone) continue;
      await migrate(connection, { ...settings, ...(onMigration && { onMigration }) });
      return shareLock(connection, schema);
    }
    await takeLock(connection, settings, "shared", sleep);
    // It refuses a newer one; another one can have been put there in between.
    if (!(await isOlder())) return migrate(connection, settings);
    await freeLock(connection, schema);
  }
}

// Brings a schema to the newest version, using the numbered files of migrations/, all in one transaction.

import { readdirSync, readFileSync } from "node:fs";
import type { Connection } from "./connection.ts";
import { postgresError } from "./errors.ts";
import { MIGRATION_KEYS } from "./lock.ts";

interface Migration {
  version: number;
  sql: string;
}

const readMigrations = (directory: URL = new URL("./migrations/", import.meta.url)): Migration[] =>
  readdirSync(directory)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name, index) => {
      const version = Number.parseInt(name, 10);
      if (version !== index + 1) throw new Error(`migration ${name} is not number ${index + 1}`);
      return { version, sql: readFileSync(new URL(name, directory), "utf8") };
    });

/** The schema version that this nexusd creates. */
export const knownVersion = (): number => readMigrations().length;

/** PostgreSQL 15: the oldest that has what the migrations use. Tested on 18. */
const OLDEST_SERVER = 150_000;

/**
 * Creates the schema if it is missing, and applies missing migrations.
 * @param connection has the schema alone, unless it is up to date
 * @param onMigration called and awaited before an existing schema is changed, which may take long
 * @throws StoreError `newer_version`, `unusable`, `read_only`: the schema is left as it is
 */
export async function migrate(
  connection: Connection,
  { schema, place, onMigration }: { schema: string; place: string; onMigration?: () => Promise<void> },
): Promise<void> {
  const [server] = await connection.query<{
    version: number;
    recovering: boolean;
    encoding: string;
    exists: boolean;
  }>(
    `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS recovering,
       current_setting('server_encoding') AS encoding,
       EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS exists`,
    [schema],
  );
  if (!server) throw new Error("the server does not say what it is");
  if (server.version < OLDEST_SERVER)
    throw postgresError("unusable", place, `it is PostgreSQL ${Math.floor(server.version / 10_000)}`, {
      remedy: "nexusd needs PostgreSQL 15 or newer",
    });
  if (server.recovering) throw postgresError("read_only", place, "it is a replica, which takes no writes");
  if (server.encoding !== "UTF8")
    throw postgresError("unusable", place, `its encoding is ${server.encoding}`, {
      remedy: "create the database with ENCODING 'UTF8'",
    });
  const migrations = readMigrations();
  const before = server.exists ? await schemaVersion(connection) : 0;
  refuseNewer(before, migrations, place);
  if (before === migrations.length) return;
  if (before > 0) await onMigration?.();
  await connection.script(
    `BEGIN; SELECT pg_advisory_xact_lock(${MIGRATION_KEYS.replace("$1", `'${schema}'`)})`,
  );
  try {
    if (!server.exists) await connection.script(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    await connection.script("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
    const from = await schemaVersion(connection);
    refuseNewer(from, migrations, place);
    // Migrating a large database takes longer than the statement timeout.
    await connection.script("SET LOCAL statement_timeout = 0");
    for (const { version, sql } of migrations) if (version > from) await connection.script(sql);
    await connection.script("DELETE FROM schema_version");
    await connection.query("INSERT INTO schema_version VALUES ($1)", [migrations.length]);
    const { command } = await connection.script("COMMIT");
    if (command !== "COMMIT") throw new Error("the migrations were rolled back without an error");
  } catch (error) {
    if (!connection.isLost) await connection.script("ROLLBACK");
    throw error;
  }
}

const refuseNewer = (version: number, migrations: readonly Migration[], place: string): void => {
  if (version > migrations.length)
    throw postgresError(
      "newer_version",
      place,
      `the schema has version ${version}, this nexusd knows ${migrations.length}`,
    );
};

/** 0: the schema does not exist. */
export async function schemaVersion(connection: Connection): Promise<number> {
  const [table] = await connection.query<{ there: boolean }>(
    "SELECT to_regclass('schema_version') IS NOT NULL AS there",
  );
  if (!table?.there) return 0;
  const [row] = await connection.query<{ version: number }>("SELECT version FROM schema_version");
  return row?.version ?? 0;
}

// Upgrades a database to the newest schema: the numbered files of migrations/, each in its own transaction.

import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "better-sqlite3";
import { storeError } from "./errors.ts";

export interface Migration {
  version: number;
  sql: string;
}

/** The migrations beside this file, in order. */
export const readMigrations = (directory: URL = new URL("./migrations/", import.meta.url)): Migration[] =>
  readdirSync(directory)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name, index) => {
      const version = Number.parseInt(name, 10);
      if (version !== index + 1) throw new Error(`migration ${name} is not number ${index + 1}`);
      return { version, sql: readFileSync(new URL(name, directory), "utf8") };
    });

/** @throws StoreError `newer_version`: a newer nexusd wrote the database, which is left unchanged */
export const refuseNewer = (db: Database, migrations: readonly Migration[], place: string): void => {
  const version = schemaVersion(db);
  if (version > migrations.length)
    throw storeError(
      "newer_version",
      place,
      `the database has schema version ${version}, this nexusd knows ${migrations.length}`,
    );
};

/** Whether the database has data of an older schema. */
export const isOlder = (db: Database, migrations: readonly Migration[]): boolean => {
  const version = schemaVersion(db);
  return version > 0 && version < migrations.length;
};

/** Applies the missing migrations. One that fails leaves the database at the version before it. */
export const migrate = (db: Database, migrations: readonly Migration[]): void => {
  const from = schemaVersion(db);
  for (const { version, sql } of migrations)
    if (version > from)
      db.transaction(() => {
        db.exec(sql);
        db.pragma(`user_version = ${version}`);
      }).immediate();
};

const schemaVersion = (db: Database): number => Number(db.pragma("user_version", { simple: true }));

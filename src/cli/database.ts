// The database for a command that needs no daemon: the file in a directory, or the schema from the configuration.

import { join } from "node:path";
import { ConfigError } from "../config/error.ts";
import { findConfig } from "../config/find.ts";
import { inspectConfig } from "../config/load.ts";
import { encryptionKeys, STORE_SECRETS } from "../config/store.ts";
import type { PostgresTarget } from "../store/postgres/inspect.ts";
import { placeOf } from "../store/postgres/place.ts";
import { findDataDir } from "./data-dir.ts";
import { Failed, WrongUsage } from "./problem.ts";

export type DatabaseChoice = { kind: "sqlite"; path: string } | { kind: "postgres"; target: PostgresTarget };

/** @throws WrongUsage if neither is known */
export function findDatabase(
  explicit: string | undefined,
  configFile: string | undefined,
  env: NodeJS.ProcessEnv,
): DatabaseChoice {
  const target = explicit === undefined ? postgresOf(configFile, env) : undefined;
  if (target) return { kind: "postgres", target };
  return { kind: "sqlite", path: join(findDataDir(explicit, configFile, env), "nexusd.db") };
}

/** The file, for commands that only work on one. @throws Failed with `kind = "postgres"` */
export function findDirectory(
  explicit: string | undefined,
  configFile: string | undefined,
  env: NodeJS.ProcessEnv,
): string {
  if (explicit === undefined && isPostgres(configFile, env))
    throw new Failed({
      title: "This is for SQLite's file",
      detail: "The log of this configuration is in PostgreSQL: use pg_dump and pg_restore (docs/fleet.md).",
      code: "not_sqlite",
    });
  return findDataDir(explicit, configFile, env);
}

const isPostgres = (configFile: string | undefined, env: NodeJS.ProcessEnv): boolean => {
  try {
    const path = findConfig(configFile, env);
    return inspectConfig({ path, env, resolveSecrets: false }).config?.store.kind === "postgres";
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
};

/** undefined: it is SQLite's, or unknown. */
function postgresOf(configFile: string | undefined, env: NodeJS.ProcessEnv): PostgresTarget | undefined {
  if (!isPostgres(configFile, env)) return undefined;
  const path = findConfig(configFile, env);
  const { config, secrets } = inspectConfig({ path, env });
  const url = secrets[STORE_SECRETS]?.url?.reveal();
  const keys = encryptionKeys(secrets);
  if (!config || url === undefined || !keys || keys.length === 0)
    throw new WrongUsage(
      `the secrets of [store] in ${path} cannot be read here: run this as nexusd's user, with its environment`,
    );
  const { schema } = config.store;
  return { url, schema, keys, place: placeOf(url, schema) };
}

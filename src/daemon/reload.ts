// What a reload of the configuration changes, and what has to wait for a restart.

import type { Config } from "../config/schema.ts";
import { type ResolvedSecrets, SECRET_KEYS } from "../config/secrets.ts";
import { isObject } from "../core/is-object.ts";

const FIXED_AT_START = ["daemon.data_dir", "daemon.log_format", "control", "jobs.directory"];

export const isFixedAtStart = (path: string): boolean =>
  FIXED_AT_START.some((fixed) => path === fixed || path.startsWith(`${fixed}.`));

/** The new configuration, with what cannot change now as it runs, so that status and sockets agree. */
export const reloadedConfig = (running: Config, next: Config): Config => ({
  ...next,
  daemon: { ...running.daemon, log_level: next.daemon.log_level },
  control: running.control,
  jobs: { ...next.jobs, directory: running.jobs.directory },
});

/** The TOML paths whose values differ, tables walked through, lists compared whole. */
export function changedPaths(before: unknown, after: unknown, path = ""): string[] {
  if (!isObject(before) || !isObject(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    changedPaths(before[key], after[key], path === "" ? key : `${path}.${key}`),
  );
}

export const sameSecrets = (a: ResolvedSecrets, b: ResolvedSecrets): boolean =>
  SECRET_KEYS.every(([service, key]) => a[service]?.[key]?.reveal() === b[service]?.[key]?.reveal());

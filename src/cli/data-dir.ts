// The data directory, for commands that need no daemon: the given one, or the configured one.

import { ConfigError } from "../config/error.ts";
import { findConfig } from "../config/find.ts";
import { inspectConfig } from "../config/load.ts";
import { placeOf } from "./places.ts";
import { WrongUsage } from "./problem.ts";

/** @throws WrongUsage if neither is known */
export function findDataDir(
  explicit: string | undefined,
  configFile: string | undefined,
  env: NodeJS.ProcessEnv,
): string {
  if (explicit !== undefined) return explicit;
  try {
    const path = findConfig(configFile, env);
    const { config } = inspectConfig({ path, env, resolveSecrets: false });
    if (config) return placeOf(config.daemon.data_dir, path).path;
    throw new WrongUsage(
      `${path} is not valid (nexusctl doctor says why): name the directory with --data-dir`,
    );
  } catch (error) {
    if (error instanceof ConfigError) throw new WrongUsage(`${error.message}; or use --data-dir`);
    throw error;
  }
}

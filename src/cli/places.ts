// Where a relative path of a configuration may be: it is relative to where the daemon that reads it was started, and
// that is not always where nexusctl is called.

import { dirname, isAbsolute, resolve } from "node:path";

// As in core/clock.ts.
const { existsSync } = process.getBuiltinModule("node:fs");

export interface Place {
  /** As it is used: of several the first that is there, else as it stands. */
  path: string;
  /** Where else it was looked for, as absolute paths; empty where it is there, or is absolute. */
  otherwise: string[];
}

/**
 * Looked for from the working directory, from the directory of the configuration and from the one above it, which is
 * where `config/nexusd.toml` is used from.
 */
export function placeOf(path: string, configFile: string, cwd = process.cwd()): Place {
  if (isAbsolute(path) || existsSync(resolve(cwd, path))) return { path, otherwise: [] };
  const beside = dirname(resolve(cwd, configFile));
  const others = [...new Set([resolve(beside, path), resolve(dirname(beside), path)])].filter(
    (other) => other !== resolve(cwd, path),
  );
  const found = others.find((other) => existsSync(other));
  return found === undefined ? { path, otherwise: others } : { path: found, otherwise: [] };
}

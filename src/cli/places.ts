// Resolves relative paths of a configuration: they are relative to where its daemon was started, and nexusctl may be
// called elsewhere.

import { dirname, isAbsolute, resolve } from "node:path";

// As in core/clock.ts.
const { existsSync } = process.getBuiltinModule("node:fs");

export interface Place {
  /** The path to use: the first candidate that exists, else the path as given. */
  path: string;
  /** Where else it was searched, as absolute paths; empty if it was found, or is absolute. */
  otherwise: string[];
}

/**
 * Searches the working directory, the directory of the configuration and the one above it, where the daemon of
 * `config/nexusd.toml` is started.
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

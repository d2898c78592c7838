// The command that starts the daemon, ready to be typed where nexusctl was called.

import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
// The sources are run directly only in a checkout, which is not on the PATH.
const IS_CHECKOUT = import.meta.url.endsWith(".ts");

/** @param config the configuration's path, if one is named */
export function startWith(config: string | undefined, cwd = process.cwd()): string {
  if (IS_CHECKOUT && config !== undefined && resolve(cwd, config) === resolve(ROOT, "config/sandbox.toml"))
    return resolve(cwd) === resolve(ROOT) ? "npm start" : `npm --prefix ${quoted(resolve(ROOT))} start`;
  const launcher = IS_CHECKOUT ? quoted(near(resolve(ROOT, "bin/nexusd"), cwd)) : "nexusd";
  return config === undefined ? launcher : `${launcher} --config ${quoted(config)}`;
}

/** Relative to the working directory if below it. */
function near(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith("..") || isAbsolute(short) ? path : short;
}

const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

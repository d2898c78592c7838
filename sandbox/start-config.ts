/** The configuration of `npm start`: `config/sandbox.toml`, adapted to this machine. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The origin of each stand-in; undefined: the service cannot run here, and is disabled. */
type Origins = Record<"messaging" | "nex" | "nexus", string | undefined>;

const FILE = new URL("../config/sandbox.toml", import.meta.url);

/** The file itself if nothing differs, else a copy that `remove` deletes. */
export function startConfig(origins: Origins): { path: string; remove(): void } {
  const text = readFileSync(FILE, "utf8");
  let changed = text;
  for (const [service, origin] of Object.entries(origins)) {
    const table = `[${service}]\nbase_url = "`;
    changed = origin
      ? changed.replace(new RegExp(`(\\[${service}\\]\nbase_url = ")[^"]*`), `$1${origin}`)
      : changed.replace(table, `[${service}]\nenabled = false\nbase_url = "`);
  }
  if (changed === text) return { path: "config/sandbox.toml", remove: () => {} };
  const directory = mkdtempSync(join(tmpdir(), "nexusd-sandbox-"));
  const path = join(directory, "sandbox.toml");
  writeFileSync(path, changed);
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

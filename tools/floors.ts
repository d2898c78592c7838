// The floors of src/: a folder imports only from those below its own, types included. `npm run check` runs this file.

import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** From the bottom up. Add a new folder here. */
export const FLOORS: readonly string[] = [
  "core",
  "contract",
  "client",
  "mcp",
  "signatures",
  "systemd",
  "http",
  "scheduler",
  "store",
  "history",
  "services",
  "job",
  "writes",
  "sinks",
  "config",
  "control",
  "page",
  "cli",
  "daemon",
];

/** The paths in import and export declarations, and in `import()`. */
const IMPORTED = /(?:\bfrom|\bimport|\bimport\()\s*"(\.[^"]+)"/g;

export interface Fault {
  file: string;
  message: string;
}

/**
 * Imports that go up.
 * @param sources texts by path relative to src/, such as "http/client.ts"
 */
export function faultsOf(sources: ReadonlyMap<string, string>, floors = FLOORS): Fault[] {
  const faults: Fault[] = [];
  for (const [file, text] of sources) {
    const floor = floors.indexOf(folderOf(file));
    if (floor < 0) {
      faults.push({
        file,
        message: `src/${folderOf(file)} has no floor: add it to FLOORS in tools/floors.ts`,
      });
      continue;
    }
    for (const [, specifier = ""] of text.matchAll(IMPORTED)) {
      const target = join(dirname(file), specifier);
      if (target.startsWith("..") || folderOf(target) === folderOf(file)) continue;
      if (floors.indexOf(folderOf(target)) < floor) continue;
      faults.push({ file, message: `imports ${target}, which is on a floor above its own` });
    }
  }
  return faults;
}

const folderOf = (file: string): string => file.split("/")[0] ?? "";

if (import.meta.main) {
  const root = join(import.meta.dirname, "../src");
  const files = globSync("**/*.{ts,tsx}", { cwd: root });
  const faults = faultsOf(new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")])));
  for (const { file, message } of faults)
    process.stderr.write(`${relative(process.cwd(), join(root, file))}: ${message}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

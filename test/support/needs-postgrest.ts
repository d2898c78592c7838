// The test files that need PostgREST, and why they cannot run where npm has none.

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { findPostgrest, noPostgrest } from "../../sandbox/postgrest-program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Any test that imports this starts it. */
const STARTS_IT = join(ROOT, "sandbox/nexus-postgrest.ts");

/**
 * Printed once if there are any. @returns the paths of test files to leave out, from the root; none if PostgREST is
 * installed
 */
export function withoutPostgrest(
  tell = (line: string): unknown => process.stderr.write(`${line}\n`),
): string[] {
  if (findPostgrest()) return [];
  const files = filesThatNeedIt();
  tell(`skipped, as ${noPostgrest()}:\n${files.map((file) => `  ${file}`).join("\n")}`);
  return files;
}

export function filesThatNeedIt(): string[] {
  return globSync("test/**/*.test.ts", { cwd: ROOT }).filter((file) =>
    reaches(join(ROOT, file), new Set([import.meta.filename])),
  );
}

/** By what a file imports, and by the programs of the sandbox that it names to start them. */
function reaches(file: string, seen: Set<string>): boolean {
  if (file === STARTS_IT) return true;
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const named = readFileSync(file, "utf8").matchAll(
    /["'`](\.{1,2}\/[^"'`\s]*\.ts|sandbox\/[^"'`\s]*\.ts)["'`]/g,
  );
  return [...named].some(([, path = ""]) =>
    reaches(resolve(path.startsWith(".") ? dirname(file) : ROOT, path), seen),
  );
}

// The version of this nexusd, from the package.json beside src/ (or beside it in dist/).

// As in core/clock.ts.
const { readFileSync } = process.getBuiltinModule("node:fs");

let known: string | undefined;

export function readVersion(): string {
  known ??= (
    JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string; // our own file
    }
  ).version;
  return known;
}

// Of what a bundle in a checkout was made, so that it runs only as long as its sources are what they were.

// As in core/clock.ts.
const { readFileSync, statSync, writeFileSync } = process.getBuiltinModule("node:fs");

/** By absolute path: when each was changed, and how large it is. */
type Stamps = Record<string, string>;

export function writeStamps(file: string, sources: readonly string[]): void {
  const stamps: Stamps = Object.fromEntries(sources.map((path) => [path, stampOf(path)]));
  writeFileSync(file, JSON.stringify(stamps));
}

/** Whether every source is as `writeStamps` has found it. */
export function isCurrent(file: string): boolean {
  try {
    const stamps = JSON.parse(readFileSync(file, "utf8")) as Stamps; // our own file
    return Object.entries(stamps).every(([path, stamp]) => stampOf(path) === stamp);
  } catch {
    return false;
  }
}

function stampOf(path: string): string {
  const { mtimeMs, size } = statSync(path);
  return `${mtimeMs} ${size}`;
}

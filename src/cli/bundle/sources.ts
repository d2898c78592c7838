// The sources of a bundle in a checkout: it is used only while they are unchanged.

// As in core/clock.ts.
const { readFileSync, statSync, writeFileSync } = process.getBuiltinModule("node:fs");

/** By absolute path: modification time and size. */
type Stamps = Record<string, string>;

export function writeStamps(file: string, sources: readonly string[]): void {
  const stamps: Stamps = Object.fromEntries(sources.map((path) => [path, stampOf(path)]));
  writeFileSync(file, JSON.stringify(stamps));
}

/** Whether every source is unchanged since `writeStamps`. */
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

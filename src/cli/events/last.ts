// Finds the newest events of a log that can only be read forwards.

interface Page {
  /** The events of the page, oldest first. */
  found: string[];
  /** Where the next one begins. */
  next: number;
}

/** A filter may match only one event in a hundred: after a try that found too few, go back this many times as far. */
const FURTHER = 8;

/**
 * The last `count` events that `read` returns up to `latest`, oldest first. Memory never holds more than these and one
 * page.
 */
export async function lastOf(
  count: number,
  latest: number,
  read: (after: number) => Promise<Page>,
): Promise<string[]> {
  for (let span = count; ; span *= FURTHER) {
    const start = Math.max(0, latest - span);
    let last: string[] = [];
    for (let after = start; ; ) {
      const { found, next } = await read(after);
      last = [...last, ...found].slice(-count);
      if (next <= after || next >= latest) break;
      after = next;
    }
    if (last.length === count || start === 0) return last;
  }
}

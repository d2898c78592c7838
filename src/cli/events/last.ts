// The newest events, found from the end of a log that is only read forwards.

interface Page {
  /** The events of the page, the oldest first. */
  found: string[];
  /** Where the next one begins. */
  next: number;
}

/** A filter may let one of a hundred through: each look that found too few goes back so many times as far. */
const FURTHER = 8;

/**
 * The last `count` of what `read` gives from a place of the log to `latest`, the oldest first. In memory are never
 * more of them and one page.
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

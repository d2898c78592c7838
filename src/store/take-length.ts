// How many rows are read at once from tables whose rows may be long.

/** The first rows, up to the one that brings their total length to `maxLength`; `isCut`: they reached it. */
export function takeLength<T>(
  rows: Iterable<T>,
  maxLength: number | undefined,
  lengthOf: (row: T) => number,
): { taken: T[]; isCut: boolean } {
  const taken: T[] = [];
  let length = 0;
  for (const row of rows) {
    taken.push(row);
    length += lengthOf(row);
    if (maxLength !== undefined && length >= maxLength) return { taken, isCut: true };
  }
  return { taken, isCut: false };
}

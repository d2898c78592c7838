// How much of a table is read at once, where its rows may be long.

/** The first rows, up to the one by which they are `maxLength` long together; `isCut`: they reached it. */
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

// Suggests names similar to one that was written.

const MOST = 3;
/** What is this much less similar than the nearest is not worth naming. */
const SPREAD = 0.3;

/** The names most similar to `text`, most similar first, at most three; none if nothing is. */
export function nearest(text: string, names: readonly string[]): string[] {
  const wanted = plain(text);
  const alike = names
    .map((name) => ({ name, distance: distance(wanted, plain(name)) }))
    .filter(({ distance }) => distance < 1)
    .sort((a, b) => a.distance - b.distance);
  const least = alike[0]?.distance ?? 0;
  return alike
    .filter(({ distance }) => distance <= least + SPREAD)
    .slice(0, MOST)
    .map(({ name }) => name);
}

/** `order_id`, `OrderId` and `orderId` are the same word. */
const plain = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/** 0 for the same, 1 and more for what is not alike. */
function distance(text: string, name: string): number {
  if (text === name) return 0;
  // A third of it may be wrong, one character at least.
  const bearable = Math.max(1, Math.floor(Math.max(text.length, name.length) / 3));
  const slips = edits(text, name) / (bearable + 1);
  const isPart = Math.min(text.length, name.length) > 2 && (name.includes(text) || text.includes(name));
  return isPart ? Math.min(slips, 0.5) : slips;
}

/** How many characters have to be put in, taken out, changed or swapped with the next. */
function edits(a: string, b: string): number {
  // Far longer than any name; it only has to end soon.
  if (Math.max(a.length, b.length) > 200) return Number.POSITIVE_INFINITY;
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let least = Math.min(
        at(above, column) + 1,
        at(current, column - 1) + 1,
        at(above, column - 1) + (isSame ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        least = Math.min(least, at(twoAbove, column - 2) + 1);
      current.push(least);
    }
    twoAbove = above;
    above = current;
  }
  return at(above, b.length);
}

const at = (row: number[], column: number): number => row[column] ?? Number.POSITIVE_INFINITY;

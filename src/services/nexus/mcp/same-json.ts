// Whether two JSON values are equal: numbers by value, objects in any order of their members.

/** @param step called for each comparison; it may throw if there are too many */
export function isSameJson(a: unknown, b: unknown, step: () => void): boolean {
  step();
  if (isNumeric(a) && isNumeric(b)) return a >= b && a <= b;
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((one, at) => isSameJson(one, b[at], step))
    );
  const members = Object.entries(a);
  return (
    members.length === Object.keys(b).length &&
    members.every(([name, value]) => {
      const other = Object.getOwnPropertyDescriptor(b, name);
      return other !== undefined && isSameJson(value, other.value, step);
    })
  );
}

/** A number, and an integer that a number cannot hold. */
const isNumeric = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

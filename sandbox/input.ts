/** Reads values from external JSON; each function throws an Error that names what is wrong. */

export function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${name} must be an object`);
  }
  return Object.fromEntries(Object.entries(value));
}

export function string(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "") throw new Error(`${name} must be a non-empty string`);
  return value;
}

export function number(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${name} must be a number`);
  return value;
}

/** Applies a reader to an optional field. */
export function optional<T>(value: unknown, name: string, read: (value: unknown, name: string) => T) {
  return value === undefined ? undefined : read(value, name);
}

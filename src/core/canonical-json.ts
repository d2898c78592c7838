// Canonical JSON (RFC 8785) and its digest: the one text for a value, so that a hash can name what was approved.

// Far beyond what a person could read, far below what the stack holds; circular values end here, too.
const DEEPEST = 1000;

/**
 * The value as RFC 8785 writes it: members sorted by UTF-16 code units, numbers as in ECMAScript, no white space.
 * Undefined members are left out. An extension: a bigint is written with its exact digits, since RFC 8785 has no number
 * beyond doubles.
 * @throws TypeError for what is not JSON (NaN, a function, undefined in an array, a Date), for lone surrogates, and for
 * nesting deeper than 1000
 */
export const canonicalJson = (value: unknown): string => encode(value, refuseLoneSurrogates, 0);

/** Canonical JSON of a record that must be stored whatever it contains: a lone surrogate becomes U+FFFD. */
export const canonicalRecord = (value: unknown): string => encode(value, replaceLoneSurrogates, 0);

/** SHA-256 of the text as UTF-8, lower case hex. */
export const digestOf = (text: string): string =>
  process.getBuiltinModule("node:crypto").hash("sha256", text);

const encode = (value: unknown, wellFormed: (text: string) => string, depth: number): string => {
  switch (typeof value) {
    case "string":
      return JSON.stringify(wellFormed(value));
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`JSON has no way to write ${value}`);
      return JSON.stringify(value);
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      break;
    default:
      throw new TypeError(`JSON has no way to write ${typeof value}`);
  }
  if (value === null) return "null";
  if (depth >= DEEPEST) throw new TypeError(`the value is nested deeper than ${DEEPEST}`);
  if (Array.isArray(value)) {
    // Not `map`, which passes over the holes of a sparse array.
    const items = Array.from(value, (item: unknown) => encode(item, wellFormed, depth + 1));
    return `[${items.join(",")}]`;
  }
  if (!isPlain(value)) throw new TypeError("only plain objects have a canonical form");
  const members: string[] = [];
  // The default order of `sort` is the one by UTF-16 code units.
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member !== undefined)
      members.push(`${JSON.stringify(wellFormed(key))}:${encode(member, wellFormed, depth + 1)}`);
  }
  return `{${members.join(",")}}`;
};

const refuseLoneSurrogates = (text: string): string => {
  if (!text.isWellFormed())
    throw new TypeError("a text holds a lone surrogate, which is no Unicode character");
  return text;
};

const replaceLoneSurrogates = (text: string): string => text.toWellFormed();

const isPlain = (value: object): value is Record<string, unknown> => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

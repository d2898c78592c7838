// JSON whose integers above 2^53 stay exact: they are read as bigint and written as plain integers.
// Nex gives such ids, and JSON.parse alone rounds them without a word.

declare global {
  interface JSON {
    // Node.js has both since 21; the TypeScript library does not yet.
    rawJSON(text: string): unknown;
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
  }
}

// Every integer above 2^53 has at least 16 digits, so that a text without such a run needs no second look. A number
// begins the text or follows one of these, which spares looking at every digit of ids and times.
const MAYBE_BIG = /(?:^|[:,[\s-])\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Like JSON.parse, with integers that a number cannot hold exactly as bigint; floats stay numbers.
 * @throws SyntaxError also for nesting too deep to walk
 */
export const parseJson = (text: string): unknown => {
  if (!MAYBE_BIG.test(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, (_key, value, { source = "" }) =>
      typeof value === "number" && !Number.isSafeInteger(value) && INTEGER.test(source)
        ? BigInt(source)
        : value,
    );
  } catch (error) {
    if (error instanceof RangeError)
      throw new SyntaxError("JSON is nested too deeply to keep its integers exact", { cause: error });
    throw error;
  }
};

/**
 * Like JSON.stringify, with bigint as plain integers.
 * @throws TypeError for what JSON cannot say: undefined, a function, a circular value
 */
export const stringifyJson = (value: unknown): string => {
  const text = stringify(value);
  if (text === undefined) throw new TypeError(`JSON has no way to write ${typeof value}`);
  return text;
};

// JSON.stringify is typed as if it always gave a string; undefined and functions give undefined.
const stringify = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A bigint is a TypeError to JSON.stringify. Finding it out this way costs nothing where there is none.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "bigint" ? JSON.rawJSON(part.toString()) : part,
    );
  }
};

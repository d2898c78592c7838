// JSON whose integers above 2^53 stay exact: they are read as bigint and written as plain integers. Nex uses such ids,
// which JSON.parse alone rounds silently.

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

// Every integer above 2^53 has at least 16 digits, and a number begins the text or follows one of these.
const DIGITS = 16;
const MAYBE_BIG = /(?:^|[:,[\s-])\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Like JSON.parse, with integers that a number cannot hold exactly as bigint; floats stay numbers.
 * @throws SyntaxError also for nesting too deep to walk
 */
export const parseJson = (text: string): unknown => {
  if (!hasLongRun(text) || !MAYBE_BIG.test(text)) return JSON.parse(text);
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
 * Whether 16 digits follow each other: a look at every 16th character finds all such runs, in a third of the regex's
 * time.
 */
function hasLongRun(text: string): boolean {
  for (let at = DIGITS - 1; at < text.length; at += DIGITS) {
    if (!isDigit(text, at)) continue;
    let first = at;
    while (first > 0 && isDigit(text, first - 1)) first--;
    let end = at + 1;
    while (end - first < DIGITS && isDigit(text, end)) end++;
    if (end - first >= DIGITS) return true;
    // No run begins before the character that ended this one.
    at = end;
  }
  return false;
}

/** False behind the end. */
function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

/**
 * Like JSON.stringify, with bigint as plain integers.
 * @throws TypeError for what JSON cannot represent: undefined, a function, a circular value
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
    // A bigint is a TypeError to JSON.stringify. Finding it out this way costs nothing if there is none.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "bigint" ? JSON.rawJSON(part.toString()) : part,
    );
  }
};

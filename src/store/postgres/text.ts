// Text for PostgreSQL, which refuses U+0000, unlike SQLite: it is escaped as two other characters, in a way that
// keeps the sort order of texts.

const ONE = "\u0001";
const FOR_ZERO = "\u0001\u0001";
const FOR_ONE = "\u0001\u0002";

/** Encodes a text. Text without these two characters, such as any JSON, is stored unchanged. */
export const toText = (value: string): string =>
  value.includes("\u0000") || value.includes(ONE)
    ? value.replaceAll(ONE, FOR_ONE).replaceAll("\u0000", FOR_ZERO)
    : value;

export const fromText = (stored: string): string =>
  stored.includes(ONE) ? stored.replaceAll(FOR_ZERO, "\u0000").replaceAll(FOR_ONE, ONE) : stored;

// Text as PostgreSQL takes it. It refuses U+0000, which SQLite keeps: it is written as two other characters, in an order
// that stays that of the texts.

const ONE = "\u0001";
const FOR_ZERO = "\u0001\u0001";
const FOR_ONE = "\u0001\u0002";

/** What is stored. Text without these two characters, so all JSON, is stored as it is. */
export const toText = (value: string): string =>
  value.includes("\u0000") || value.includes(ONE)
    ? value.replaceAll(ONE, FOR_ONE).replaceAll("\u0000", FOR_ZERO)
    : value;

export const fromText = (stored: string): string =>
  stored.includes(ONE) ? stored.replaceAll(FOR_ZERO, "\u0000").replaceAll(FOR_ONE, ONE) : stored;

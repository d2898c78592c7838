// How much a JSON text contains, before it is parsed: a few megabytes of empty objects are a gigabyte in memory.

/** The limits of a text. */
export interface Most {
  /** Levels of nesting. */
  depth: number;
  /** Values, a member of an object counting as one. */
  values: number;
}

/**
 * No service's answer is known to be deeper than a dozen levels, and a page of a thousand rows of fifty columns has a
 * fifth of the values.
 */
const USUAL: Most = { depth: 100, values: 250_000 };
/** Reading an exact integer takes quadratic time in its digits. */
const MOST_DIGITS = 100;
/** A shorter text cannot exceed any limit. */
const SURELY_SMALL = 100;

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];

export type Excess = "depth" | "values" | "digits";

/** Which limit the text between the two positions exceeds. It need not be JSON. */
export function excessIn(
  text: string,
  most: Most,
  start = 0,
  end = text.length,
): { excess: Excess | undefined; values: number } {
  let depth = 0;
  let values = 0;
  if (end - start < SURELY_SMALL) return { excess: undefined, values };
  const maybeLong = hasLongNumber(text, start, end);
  let digits = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      digits = 0;
      continue;
    }
    if (maybeLong) {
      digits = code >= 0x30 && code <= 0x39 ? digits + 1 : 0;
      if (digits > MOST_DIGITS) return { excess: "digits", values };
    }
    if (code === COMMA) values++;
    // [ and {, ] and }
    else if (code === 0x5b || code === 0x7b) {
      values++;
      if (++depth > most.depth) return { excess: "depth", values };
    } else if (code === 0x5d || code === 0x7d) depth--;
    if (values > most.values) return { excess: "values", values };
  }
  return { excess: undefined, values };
}

const SAID: Record<Excess, (most: Most) => string> = {
  depth: ({ depth }) => `JSON nested more than ${depth} deep`,
  values: ({ values }) => `JSON of more than ${values} values`,
  digits: () => `a number of more than ${MOST_DIGITS} digits`,
};

/** Which limit it exceeds, for a person; undefined: none. It need not be JSON. */
export function excessOf(text: string, most: Partial<Most> = {}): string | undefined {
  const all = { ...USUAL, ...most };
  const { excess } = excessIn(text, all);
  return excess && SAID[excess](all);
}

/** The position of the quote that ends the string, or the end of the text. */
export function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
  return text.length;
}

/** Whether too many digits follow each other, in a string or not: a look at few characters finds them. */
function hasLongNumber(text: string, start: number, end: number): boolean {
  for (let at = start + MOST_DIGITS; at < end; at += MOST_DIGITS) {
    let first = at;
    while (first >= start && isDigit(text.charCodeAt(first))) first--;
    if (first === at) continue;
    let last = at;
    while (last < end && isDigit(text.charCodeAt(last)) && last - first <= MOST_DIGITS + 1) last++;
    if (last - first - 1 > MOST_DIGITS) return true;
  }
  return false;
}

const isDigit = (code: number) => code >= 0x30 && code <= 0x39;

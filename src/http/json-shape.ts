// How much a text of JSON is made of, before it is parsed: a few megabytes of empty objects are a gigabyte in memory.

/** Nothing that the services answer is known to go deeper than a dozen. */
const MOST_DEPTH = 100;
/** A page of a thousand rows of fifty columns has a fifth of it. */
const MOST_VALUES = 250_000;

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];

/** What is too much about it; undefined: nothing. It need not be JSON. */
export function excessOf(text: string): string | undefined {
  if (text.length < MOST_DEPTH) return undefined;
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    if (code === COMMA) values++;
    // [ and {, ] and }
    else if (code === 0x5b || code === 0x7b) {
      values++;
      if (++depth > MOST_DEPTH) return `JSON nested more than ${MOST_DEPTH} deep`;
    } else if (code === 0x5d || code === 0x7d) depth--;
    if (values > MOST_VALUES) return `JSON of more than ${MOST_VALUES} values`;
  }
  return undefined;
}

/** Where the quote is that ends the string, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
  return text.length;
}

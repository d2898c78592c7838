// Parses a request's body into a value that can be stored, shown and sent on unchanged.

import { parseJson } from "../core/exact-json.ts";
import { Problem } from "./problem.ts";

/** Deeper than any input of a service. The code after the parser walks values recursively. */
const DEEPEST = 64;

interface BodyLimits {
  /** Digits of one number: the cost of parsing it grows faster than its length. */
  number_digits: number;
  /** Values in total: each costs parsing, checking and serializing. */
  body_values: number;
}

/**
 * Parses the body's JSON, integers above 2^53 as bigint. Also refuses JSON that parsers read differently: bytes that
 * are not UTF-8, half a surrogate pair, numbers too large for a double, names that reach for a prototype.
 * @throws Problem `invalid_json`; `body_too_large` if it would take too long to parse
 */
export function parseBody(bytes: Buffer, limits: BodyLimits): unknown {
  refuseCostly(bytes, limits);
  const text = decode(bytes);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Problem("invalid_json", "The body is not valid JSON.");
  }
  refuseUnsafe(value);
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const [DOT, PLUS, MINUS, SMALL_E, LARGE_E] = [0x2e, 0x2b, 0x2d, 0x65, 0x45];

/** One pass over the bytes, before parsing. Text that is not JSON at all is left to the parser to refuse. */
function refuseCostly(
  bytes: Buffer,
  { number_digits: mostDigits, body_values: mostValues }: BodyLimits,
): void {
  let depth = 0;
  let values = 1;
  let digits = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits > mostDigits) throw tooLarge(`a number in it can have ${mostDigits} digits`);
      continue;
    }
    if (byte !== DOT && byte !== PLUS && byte !== MINUS && byte !== SMALL_E && byte !== LARGE_E) digits = 0;
    if (byte === QUOTE) {
      at++;
      while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > DEEPEST) throw invalid(`it is nested deeper than ${DEEPEST} levels`);
      values++;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    else if (byte === COMMA || byte === COLON) values++;
    if (values > mostValues) throw tooLarge(`it can have ${mostValues} values and names`);
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid("it is not UTF-8");
  }
}

/** Walks without recursion, since the parser accepts any depth. */
function refuseUnsafe(root: unknown): void {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const part = open.pop();
    if (typeof part === "string") refuseHalfPair(part);
    if (typeof part === "number" && !Number.isFinite(part)) throw invalid("a number is too large");
    if (typeof part !== "object" || part === null) continue;
    if (!Array.isArray(part)) refuseKeys(part);
    for (const inner of Object.values(part)) open.push(inner);
  }
}

function refuseKeys(part: object): void {
  for (const key of Object.keys(part)) refuseHalfPair(key);
  if (Object.hasOwn(part, "__proto__")) throw invalid('it has a field "__proto__"');
  if (!Object.hasOwn(part, "constructor")) return;
  const inner: unknown = part.constructor;
  if (typeof inner === "object" && inner !== null && Object.hasOwn(inner, "prototype"))
    throw invalid('it has a field "constructor.prototype"');
}

function refuseHalfPair(text: string): void {
  if (!text.isWellFormed()) throw invalid("a string has an unpaired surrogate");
}

const invalid = (why: string) => new Problem("invalid_json", `The body cannot be used: ${why}.`);
const tooLarge = (why: string) => new Problem("body_too_large", `The body takes too long to read: ${why}.`);

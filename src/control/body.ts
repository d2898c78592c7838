// A request's body as a value that can be stored, shown and sent on without becoming another one on the way.

import { parseJson } from "../http/json.ts";
import { Problem } from "./problem.ts";

/** Deeper than any input of a service; what comes after the parser walks values by recursion. */
const DEEPEST = 64;
/** Far more than a double or an id has, and read in no time: that of reading one grows faster than its length. */
const MOST_DIGITS = 1000;
const TOO_MANY_DIGITS = new RegExp(`\\d{${MOST_DIGITS + 1}}`);
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/**
 * The body's JSON, integers above 2^53 as bigint. Refused is also what JSON allows but no two readers take alike:
 * bytes that are not UTF-8, half a surrogate pair, numbers too large for a double, names that reach for a prototype.
 * @throws Problem `invalid_json`
 */
export function parseBody(bytes: Buffer): unknown {
  const text = decode(bytes);
  if (TOO_MANY_DIGITS.test(text) && TOO_MANY_DIGITS.test(text.replace(STRING, '""')))
    throw invalid(`a number has more than ${MOST_DIGITS} digits`);
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

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid("it is not UTF-8");
  }
}

/** Walks without recursion, since the parser takes any depth. */
function refuseUnsafe(root: unknown): void {
  const open: { part: unknown; depth: number }[] = [{ part: root, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { part, depth } = next;
    if (typeof part === "string") refuseHalfPair(part);
    if (typeof part === "number" && !Number.isFinite(part)) throw invalid("a number is too large");
    if (typeof part !== "object" || part === null) continue;
    if (depth === DEEPEST) throw invalid(`it is nested deeper than ${DEEPEST} levels`);
    if (!Array.isArray(part)) refuseKeys(part);
    for (const inner of Object.values(part)) open.push({ part: inner, depth: depth + 1 });
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
  if (!text.isWellFormed()) throw invalid("a text has half a surrogate pair");
}

const invalid = (why: string) => new Problem("invalid_json", `The body cannot be used: ${why}.`);

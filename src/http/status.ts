// What a complete non-2xx answer means: its error code, and whether a retry can help.

import type { Clock } from "../core/clock.ts";
import { parseJson } from "../core/exact-json.ts";
import { excessOf } from "../core/json-shape.ts";
import { HttpError } from "./errors.ts";
import type { Where } from "./failure.ts";
import { parseHttpDate, parseRetryAfter } from "./retry-after.ts";

/** How long to pause after a 429 without a Retry-After, in milliseconds. */
const COOLDOWN_MS = 60_000;

// 520 to 524 are Cloudflare's; 544 and 546 are the time-out and the worker limit of Supabase's gateway.
const RETRYABLE = new Set([408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 544, 546]);

// PostgREST's 500 for a query that met the statement timeout: the same query will again.
const STATEMENT_TIMEOUT = "57014";

const isRetryableStatus = (status: number, code?: string): boolean =>
  RETRYABLE.has(status) && !(status === 500 && code === STATEMENT_TIMEOUT);

const WORDS = /^[a-z]+(_[a-z]+)*$/i;

/**
 * The HttpError of a non-2xx answer. Its `code` is the service's own if there is one.
 * @param answer.body as much of it as could be read
 * @param answer.pathLength of the requested path, in bytes
 * @param scrub removes known secrets from a text
 */
export function statusFailure(
  answer: {
    status: number;
    headers: Record<string, string>;
    body: string;
    cause?: unknown;
    pathLength?: number;
  },
  where: Where,
  clock: Clock,
  scrub: (text: string) => string = (text) => text,
  hide: (value: unknown) => unknown = (value) => value,
): HttpError {
  const { status, headers, cause } = answer;
  const body = hide(parseLeniently(answer.body));
  const named = serviceCode(status, headers, body);
  // A server that echoes the request must not bring a credential into an error. Plain words are safe.
  const tooLong = lengthRefused(answer, body);
  const code =
    tooLong !== undefined
      ? "query_too_long"
      : WORDS.test(named) || scrub(named) === named
        ? named
        : `http_${status}`;
  const retryAfterMs = retryAfter(status, headers, clock);
  return new HttpError({
    ...where,
    kind: "status",
    message: `${where.service}: ${where.label} answered ${status}${tooLong ?? ""}`,
    status,
    code,
    retryable: isRetryableStatus(status, code),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    maybeSent: true,
    headers,
    body,
    cause,
  });
}

/** Below this length, in bytes, no server is known to refuse a path and query as too long. */
const SURELY_SHORT = 4000;

/**
 * What to do about a request whose path and query were too long; undefined: they were not. Beside 414 and 431 some
 * servers answer a bare 400, as PostgREST's server does.
 */
function lengthRefused(
  { status, pathLength = 0 }: { status: number; pathLength?: number },
  body: unknown,
): string | undefined {
  if (pathLength < SURELY_SHORT) return undefined;
  if (status !== 414 && status !== 431 && !(status === 400 && typeof body !== "object")) return undefined;
  const certainty = status === 400 ? "may be" : "are";
  return `: its path and query of ${pathLength} bytes ${certainty} too long for the service. Ask with fewer or shorter values, a part of a list at a time`;
}

/** Milliseconds that the server asks to wait; a 429 always does. */
export function retryAfter(
  status: number,
  headers: Record<string, string>,
  clock: Clock,
): number | undefined {
  // By the server's own clock, if it sends it, so that a difference between the clocks does not count.
  const serverNow = parseHttpDate(headers.date ?? "");
  const asked = parseRetryAfter(headers["retry-after"], Number.isNaN(serverNow) ? clock.now() : serverNow);
  return asked ?? (status === 429 ? COOLDOWN_MS : undefined);
}

/**
 * The error code in the shapes that the services and the gateways before them use: `{error}`, `{code}`,
 * `{error: {code}}` (JSON-RPC has a number there), the header `sb-error-code`, `{message}`; else `http_<status>`.
 */
export function serviceCode(status: number, headers: Record<string, string>, body: unknown): string {
  const outer = fields(body);
  const inner = fields(outer.error);
  const named = [outer.error, inner.code, outer.code, headers["sb-error-code"], inner.message, outer.message];
  const code = named.find(isCode);
  if (code !== undefined) return code;
  const rpc = "jsonrpc" in outer && typeof inner.code === "number" ? inner.code : undefined;
  return rpc === undefined ? `http_${status}` : `rpc_${rpc}`;
}

// A word, not a sentence: prose from a service is not a code, and does not belong in a log line. Letters with digits
// only at the end, or an SQLSTATE: an echoed key is neither.
const isCode = (value: unknown): value is string =>
  typeof value === "string" &&
  /^(?:[A-Za-z]+(?:[_.-][A-Za-z]+)*\d{0,4}|[0-9A-Z]{5})$/.test(value) &&
  value.length <= 64;

const fields = (value: unknown): Record<string, unknown> =>
  // Any object that came from JSON can be read by its field names.
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

// By content, not by Content-Type: gateways label HTML as text and JSON as anything.
function parseLeniently(text: string): unknown {
  if (excessOf(text) !== undefined) return undefined;
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

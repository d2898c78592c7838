// A request as it goes out: its URL on the one origin, its headers, its body.

import type { HttpRequest } from "./client.ts";
import { HttpError } from "./errors.ts";
import type { Where } from "./failure.ts";
import { stringifyJson } from "./json.ts";

// A URL drops these without a word, and so could be made to name something else than the caller checked.
const STRIPPED = /[\t\r\n]/;
const DOT_SEGMENT = /(^|[/\\])(\.|%2e){1,2}([/\\]|$)/i;

/** @throws HttpError `invalid_request` for a path that would not be what it seems to be */
export function targetUrl(origin: string, path: string, where: Where): URL {
  const [beforeQuery = ""] = path.split(/[?#]/, 1);
  const isPlain = !STRIPPED.test(path) && !DOT_SEGMENT.test(beforeQuery);
  const url = isPlain ? URL.parse(origin + path) : null;
  if (url?.origin === origin) return url;
  throw new HttpError({
    ...where,
    kind: "invalid_request",
    message: `${where.service}: ${where.label} was not sent: its path is not one on the service's origin`,
    code: "invalid_path",
    retryable: false,
    maybeSent: false,
  });
}

/** @throws TypeError for a `json` that JSON cannot say */
export const requestBody = (request: HttpRequest): string | undefined =>
  request.body ?? (request.json === undefined ? undefined : stringifyJson(request.json));

/** The names in lower case, so that what comes later replaces what came before. */
export function requestHeaders(
  request: HttpRequest,
  userAgent: string,
  credential: Record<string, string>,
): Record<string, string> {
  const isJson = request.body === undefined && request.json !== undefined;
  return {
    "user-agent": userAgent,
    accept: "application/json",
    // Without it a server may compress as it likes.
    "accept-encoding": "identity",
    ...(isJson ? { "content-type": "application/json" } : {}),
    ...lowerCased(request.headers ?? {}),
    ...lowerCased(credential),
  };
}

const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

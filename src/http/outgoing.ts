// A request as it is sent: its URL on the one origin, its headers, its body.

import { stringifyJson } from "../core/exact-json.ts";
import type { HttpRequest } from "./client.ts";
import { HttpError } from "./errors.ts";
import type { Where } from "./failure.ts";

// A URL leaves a path of these characters unchanged, except for dot segments. Nearly all paths are like this, and need
// not be parsed.
const UNCHANGED = /^\/[\w\-.~/?&=,:]*$/;
// A URL silently drops these, and could then name something other than the caller checked.
const STRIPPED = /[\t\r\n]/;
const DOT_SEGMENT = /(^|[/\\])(\.|%2e){1,2}([/\\]|$)/i;

/**
 * The path and query as they are sent to the origin.
 * @throws HttpError `invalid_request` for a path that would not be what it seems to be
 */
export function targetPath(origin: string, path: string, where: Where): string {
  if (UNCHANGED.test(path) && !path.includes("/.")) return path;
  const [beforeQuery = ""] = path.split(/[?#]/, 1);
  const isPlain = !STRIPPED.test(path) && !DOT_SEGMENT.test(beforeQuery);
  const url = isPlain ? URL.parse(origin + path) : null;
  if (url?.origin === origin) return url.pathname + url.search;
  throw new HttpError({
    ...where,
    kind: "invalid_request",
    message: `${where.service}: ${where.label} was not sent: its path is not one on the service's origin`,
    code: "invalid_path",
    retryable: false,
    maybeSent: false,
  });
}

/** @throws TypeError for a `json` that JSON cannot represent */
export const requestBody = (request: HttpRequest): string | undefined =>
  request.body ?? (request.json === undefined ? undefined : stringifyJson(request.json));

/** The names in lower case, so that later ones replace earlier ones. */
export function requestHeaders(
  request: HttpRequest,
  userAgent: string,
  credential: Record<string, string> | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    "user-agent": userAgent,
    accept: "application/json",
    // Without it a server may use any compression.
    "accept-encoding": "identity",
  };
  const isJson = request.body === undefined && request.json !== undefined;
  if (isJson) headers["content-type"] = "application/json";
  for (const more of [request.headers, credential])
    for (const name in more) headers[name.toLowerCase()] = more[name] ?? "";
  return headers;
}

// Who is refused before anything else is looked at: whatever a browser may have sent, directly or through a proxy.

import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

const OWN_HOST = /^(nexusd|localhost)(:\d{1,5})?$/i;

/**
 * The refusal of a request that names another site: by `Origin`, by `Referer`, or by a `Host` that is not ours
 * (DNS rebinding). No `Host` at all is refused too: every client of HTTP/1.1 sends one, so its absence is no proof of
 * anything.
 */
export function refusal(request: IncomingMessage): Problem | undefined {
  const { headersDistinct: headers } = request;
  for (const name of ["origin", "referer"] as const)
    if (headers[name])
      return new Problem(
        "forbidden_origin",
        `A request with the header "${name}" comes from a web page, and those are not served. Use a client that sends none, such as curl.`,
      );
  const hosts = headers.host ?? [];
  if (hosts.length !== 1 || !OWN_HOST.test(hosts[0] ?? ""))
    return new Problem(
      "forbidden_origin",
      'The header "host" must be "nexusd" or "localhost", as in: curl --unix-socket PATH http://nexusd/v1/health',
    );
  // An absolute target would name a host that overrides the header (RFC 9112, 3.2.2).
  if (!request.url?.startsWith("/"))
    return new Problem("invalid_request", "The request target must be a path that begins with /.");
  return undefined;
}

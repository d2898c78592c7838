// Who is refused before anything else is looked at: whatever a browser may have sent, directly or through a proxy.

import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** By what a request came: what its `Host` may be, and an example of what it is. */
const OWN_HOSTS = {
  socket: {
    host: /^(nexusd|localhost)(:\d{1,5})?$/i,
    rule: 'The header "host" must be "nexusd" or "localhost", as in: curl --unix-socket PATH http://nexusd/v1/health',
  },
  loopback: {
    host: /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i,
    rule: 'The header "host" must be "localhost" or "127.0.0.1", as in: curl http://localhost:PORT/metrics',
  },
};

/**
 * The refusal of a request that names another site: by `Origin`, by `Referer`, or by a `Host` that is not ours
 * (DNS rebinding). No `Host` at all is refused too: every client of HTTP/1.1 sends one, so its absence is no proof of
 * anything.
 */
export function refusal(
  request: IncomingMessage,
  cameBy: keyof typeof OWN_HOSTS = "socket",
): Problem | undefined {
  const { headersDistinct: headers } = request;
  for (const name of ["origin", "referer"] as const)
    if (headers[name])
      return new Problem(
        "forbidden_origin",
        `A request with the header "${name}" comes from a web page, and web pages are not served. Use a client that does not send it, such as curl.`,
      );
  const hosts = headers.host ?? [];
  const { host, rule } = OWN_HOSTS[cameBy];
  if (hosts.length !== 1 || !host.test(hosts[0] ?? "")) return new Problem("forbidden_origin", rule);
  // An absolute target would name a host that overrides the header (RFC 9112, 3.2.2).
  if (!request.url?.startsWith("/"))
    return new Problem("invalid_request", "The request target must be a path that begins with /.");
  return undefined;
}

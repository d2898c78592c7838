// Refuses, before anything else is read, what a browser may have sent, directly or through a proxy.

import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** By transport: the allowed values of `Host`, and an example. */
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
 * Refuses a request that names another site: by `Origin`, by `Referer`, or by a `Host` that is not ours (DNS
 * rebinding). A missing `Host` is refused, too: every HTTP/1.1 client sends one, so its absence proves nothing.
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

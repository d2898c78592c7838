// The only place where connections to the services are made. HTTP/1.1 alone: docs/configuration.md says why.

import { Agent } from "undici";

/**
 * An idle connection is closed after this, whatever the server offers: a NAT or a proxy may have dropped it, and each
 * dead connection costs a request its whole deadline.
 */
const IDLE_MS = 30_000;
/**
 * Bytes of an answer's headers. PostgREST repeats the query in one of them, with a non-ASCII letter twice as long as in
 * the request; it accepts at most 50 KiB itself. undici's own limit is 16 KiB.
 */
export const LONGEST_ANSWER_HEAD = 128 * 1024;
/** TLS included. */
const CONNECT_MS = 10_000;

/**
 * Connections that offer only HTTP/1.1. Over HTTP/2 all requests to a server share one connection, so a silent
 * connection is used forever, a server with few streams lets the insight stream block all other requests, a reset can
 * look like the end of an answer, and undici sends a refused request again on its own. An HTTP/1.1 connection is given
 * up together with the one request that it carries.
 *
 * @param connections the most to one server; default: as many as needed
 */
export function createDispatcher({ connections }: { connections?: number } = {}): Agent {
  return new Agent({
    allowH2: false,
    maxHeaderSize: LONGEST_ANSWER_HEAD,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    ...(connections !== undefined && { connections }),
    connect: { timeout: CONNECT_MS },
  });
}

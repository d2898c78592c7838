// The only place where connections to the services are made. HTTP/1.1 alone: docs/configuration.md says why.

import { Agent } from "undici";

/**
 * An idle connection is closed after this, whatever the server offers: a NAT or a proxy may have forgotten it, and
 * each one that is dead costs a request its whole deadline.
 */
const IDLE_MS = 30_000;
/**
 * Bytes of an answer's headers. PostgREST repeats the query in one of them, where a letter that is not ASCII takes twice
 * as much as in the request; it takes no more than 50 KiB of those itself. undici's own limit is 16 KiB.
 */
export const LONGEST_ANSWER_HEAD = 128 * 1024;
/** TLS included. */
const CONNECT_MS = 10_000;

/**
 * Connections that offer HTTP/1.1 and nothing else. Over HTTP/2 all requests to a server share one connection, so that
 * one that is up but silent is used for ever, a server with few streams lets the insight stream block every other
 * request, a reset can pass for the end of an answer, and undici sends a refused request again on its own. A
 * connection of HTTP/1.1 is given up together with the one request that it carries.
 *
 * @param connections at most so many to one server; default: as many as are needed
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

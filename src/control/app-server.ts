// The servers in front of the API: the guard, the headers of every answer, and requests that Node.js cannot parse.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { answerText } from "./connections.ts";
import type { ControlContext } from "./context.ts";
import { refusal } from "./guard.ts";
import { answerHalfClosed } from "./half-closed.ts";
import { createPipelines } from "./pipeline.ts";
import { Problem, sendProblem } from "./problem.ts";
import type { TakeTurn } from "./turns.ts";

/** How long a whole request may take to arrive, from its first byte. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often requests are checked for being late. */
const LOOK_EVERY_MS = 5000;

/** Headers of every answer. */
export const ownHeaders = ({ version, store }: ControlContext): Record<string, string> => ({
  "nexusd-version": version,
  "nexusd-epoch": store.epoch,
});

/**
 * A server that is not listening yet: if the file of a socket is lost, a new server replaces the one that can no longer
 * be reached.
 * @param route gets each request that passes the guard
 */
export function createAppServer(route: RequestListener, context: ControlContext, turn: TakeTurn): Server {
  const inTurn = createPipelines(turn);
  const headers = ownHeaders(context);
  const stamp = (response: ServerResponse) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  };
  // `requireHostHeader` would answer without our headers; the guard refuses those requests itself.
  const options = { requireHostHeader: false, connectionsCheckingInterval: LOOK_EVERY_MS };
  const server = createServer(options, (request, response) => {
    inTurn(response, () => {
      stamp(response);
      const problem = refusal(request);
      if (problem) sendProblem(response, problem);
      else route(request, response);
    });
  });
  server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
    stamp(response);
    sendProblem(response, new Problem("expectation_failed", 'Only "Expect: 100-continue" is understood.'));
  });
  server.on("clientError", (error, socket) => answerBrokenRequest(headers, error, socket));
  answerHalfClosed(server);
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

/** Answers a request that Node.js could not parse, by hand. */
function answerBrokenRequest(
  headers: Record<string, string>,
  error: Error & { code?: string; rawPacket?: unknown },
  socket: Duplex,
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem =
    error.code === "HPE_HEADER_OVERFLOW"
      ? new Problem("headers_too_large", "The headers take more than 16 KiB.")
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? new Problem("request_timeout", `The request was not complete after ${REQUEST_TIMEOUT_MS / 1000} s.`)
        : new Problem("invalid_request", "This is not an HTTP/1.1 request.");
  // A client that sent a HEAD reads no body, and would take it for the next answer.
  const { rawPacket } = error;
  const isHead = Buffer.isBuffer(rawPacket) && rawPacket.toString("latin1", 0, 5) === "HEAD ";
  socket.end(answerText(problem, headers, isHead));
}

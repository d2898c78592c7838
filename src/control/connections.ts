// Limits how many connections a socket may have, and how long they may be silent.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Role } from "./context.ts";
import { PROBLEM_TYPE, Problem, problemBody } from "./problem.ts";

/** How long a refused client may read why, and how many may at once; then the connection is cut. */
const READS_REFUSAL_MS = 1000;
const MOST_REFUSED = 256;
/** Requests on one connection whose answers are not complete; most clients send the next one after the answer. */
const MOST_PIPELINED = 256;

interface ConnectionLimits {
  connections: number;
  silent_connection: number;
}

/**
 * Refuses connections beyond the limit with 429, and closes silent ones: those that neither send a request, nor wait
 * for an answer, nor read one.
 * @param options.headers of every answer
 * @returns a function that applies this to a server; all servers of one socket share the limit
 */
export function limitConnections(options: {
  role: Role;
  headers: Record<string, string>;
  limits: () => ConnectionLimits;
}): (server: Server) => Server {
  const { role, headers, limits } = options;
  const underWay = new WeakMap<Socket, Set<ServerResponse>>();
  let open = 0;
  let refused = 0;

  const refuse = (socket: Socket) => {
    socket.on("error", () => {});
    if (refused >= MOST_REFUSED) {
      socket.destroy();
      return;
    }
    refused++;
    const cut = setTimeout(() => socket.destroy(), READS_REFUSAL_MS);
    socket.once("close", () => {
      refused--;
      clearTimeout(cut);
    });
    // Keep reading: closing with unread data would discard the answer.
    socket.resume();
    socket.end(
      answerText(
        new Problem(
          "too_many_connections",
          `${limits().connections} connections to ${role}.sock are open, which is the limit. Try again later, or raise limits.connections.`,
          { headers: { "retry-after": "1" } },
        ),
        headers,
      ),
    );
  };

  return (server) => {
    // The listeners that turn it into requests; they must not see a refused connection.
    const serve = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (open >= limits().connections) {
        refuse(socket);
        return;
      }
      open++;
      socket.once("close", () => {
        open--;
      });
      server.timeout = limits().silent_connection;
      server.keepAliveTimeout = limits().silent_connection;
      for (const listener of serve) listener.call(server, socket);
    });

    server.prependListener("request", (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      const answers = underWay.get(socket) ?? new Set();
      underWay.set(socket, answers.add(response));
      response.once("close", () => answers.delete(response));
      // Its answer could only come after all the others, so a refusal would not help.
      if (answers.size > MOST_PIPELINED) socket.destroy();
    });

    server.on("timeout", (socket: Socket) => {
      const isAsked = [...(underWay.get(socket) ?? [])].some(({ req }) => req.complete);
      // If data is still unsent, it is the client that stalls.
      if (isAsked && socket.writableLength === 0) socket.setTimeout(limits().silent_connection);
      else socket.destroy();
    });
    return server;
  };
}

/** Writes a whole answer by hand and ends the connection. */
export function answerText(problem: Problem, headers: Record<string, string>, isHead = false): string {
  const body = problemBody(problem);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${problem.status} ${body.title}`,
    ...Object.entries({ ...headers, ...problem.headers }).map(([name, value]) => `${name}: ${value}`),
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${isHead ? "" : text}`;
}

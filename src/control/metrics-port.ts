// GET /metrics on a local port, for a Prometheus that cannot use a Unix socket. It serves nothing else.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ControlContext } from "./context.ts";
import { asProblem } from "./failure.ts";
import { refusal } from "./guard.ts";
import { answerHalfClosed } from "./half-closed.ts";
import { scrapeNow } from "./metrics.ts";
import { Problem, sendProblem } from "./problem.ts";
import { SocketError } from "./sockets.ts";

const ADDRESS = "127.0.0.1";
const REQUEST_TIMEOUT_MS = 10_000;
/** More than any Prometheus needs; every user of this machine can connect. */
const MOST_CONNECTIONS = 16;

/** Answers when it resolves. @throws SocketError */
export async function openMetricsPort(context: ControlContext, port: number): Promise<Server> {
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    answer(context, request, response).catch((error: unknown) => {
      const problem = asProblem(error);
      context.log.error({ err: problem.cause ?? error }, "the metrics could not be read");
      if (response.headersSent) response.destroy();
      else sendProblem(response, problem);
    });
  });
  answerHalfClosed(server);
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MOST_CONNECTIONS;
  try {
    await once(server.listen(port, ADDRESS), "listening");
  } catch (error) {
    throw unusable(port, error);
  }
  return server;
}

async function answer(
  context: ControlContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const refused = refusal(request, "loopback");
  if (refused) return sendProblem(response, refused);
  const { method, url, headers } = request;
  if (url !== "/metrics" || (method !== "GET" && method !== "HEAD"))
    return sendProblem(response, new Problem("not_found", "Only GET /metrics is served here."));
  const { contentType, text } = await scrapeNow(context, headers.accept);
  response.writeHead(200, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
  response.end(method === "HEAD" ? undefined : text);
}

function unusable(port: number, error: unknown): SocketError {
  const place = `${ADDRESS}:${port} (control.metrics_port)`;
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  if (code === "EADDRINUSE")
    return new SocketError(
      "in_use",
      `${place}: another process listens there; stop it, or name another port`,
      error,
    );
  if (code === "EACCES" || code === "EPERM")
    return new SocketError(
      "unusable",
      `${place}: nexusd may not listen there; use a port above 1023, and under systemd add a drop-in with SocketBindAllow=ipv4:tcp:${port}`,
      error,
    );
  return new SocketError("unusable", `${place}: it cannot be opened (${code}); name another port`, error);
}

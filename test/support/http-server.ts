// Real HTTP servers on this machine that behave as scripted, mostly badly.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface TestServer {
  origin: string;
  /** Every request that arrived, in order. */
  requests: SeenRequest[];
  /** Resolves once `count` requests have arrived. */
  arrived(count: number): Promise<void>;
  /** Resolves once the connections of all requests so far are closed. */
  disconnected(): Promise<void>;
}

export type Behaviour = (response: ServerResponse, request: SeenRequest, index: number) => void;

/** Serves until the end of the test. `behave` gets each request, its body read, and its number from 0. */
export async function serve(behave: Behaviour): Promise<TestServer> {
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const changed = createBell();

  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const seen = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    requests.push(seen);
    changed.ring();
    behave(response, seen, requests.length - 1);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      changed.ring();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    origin: originOf(server.address()),
    requests,
    arrived: (count) => changed.until(() => requests.length >= count),
    disconnected: () => changed.until(() => sockets.size === 0),
  };
}

/** A server below HTTP: `onData` gets each piece of bytes, with the number of its connection and of the piece, from 0. */
export async function serveRaw(
  onData: (socket: Socket, connection: number, piece: number) => void,
): Promise<{ origin: string; connections: number }> {
  const state = { origin: "", connections: 0 };
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    const connection = state.connections++;
    let piece = 0;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => onData(socket, connection, piece++));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  state.origin = originOf(server.address());
  return state;
}

/** An origin where nothing listens. */
export async function closedOrigin(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = originOf(server.address());
  await new Promise((resolve) => server.close(resolve));
  return origin;
}

// Behaviours.

export const json =
  (value: unknown, status = 200, headers: Record<string, string | string[]> = {}): Behaviour =>
  (response) =>
    response
      .writeHead(status, { "content-type": "application/json", ...headers })
      .end(typeof value === "string" ? value : JSON.stringify(value));

export const html =
  (status: number): Behaviour =>
  (response) =>
    response
      .writeHead(status, { "content-type": "text/html" })
      .end("<html><h1>a page of a proxy</h1></html>");

export const redirect =
  (location: string, status = 302): Behaviour =>
  (response) =>
    response.writeHead(status, { location }).end("elsewhere");

/** Accepts the request and never answers. */
export const stallHeaders: Behaviour = () => {};

/** Starts a body and never continues. */
export const stallBody =
  (status = 200): Behaviour =>
  (response) =>
    response
      .writeHead(status, { "content-type": "application/json", "content-length": "1000" })
      .write('{"a":');

/** Sends the headers and `text`, as part of a longer body, then cuts the connection. */
export const cutAfter =
  (text: string, headers: Record<string, string> = { "content-length": "1000" }): Behaviour =>
  (response) => {
    response.writeHead(200, headers);
    response.write(text, () => response.socket?.destroy());
  };

/** Sends one byte of an endless body every `everyMs` milliseconds. */
export const drip =
  (everyMs: number): Behaviour =>
  (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const timer = setInterval(() => response.write(" "), everyMs);
    response.on("close", () => clearInterval(timer));
  };

/** An endless body, as fast as it is read. `onSent` gets the bytes handed to the socket so far. */
export const endless =
  (
    piece: string,
    options: { status?: number; headers?: Record<string, string>; onSent?: (bytes: number) => void } = {},
  ): Behaviour =>
  (response) => {
    let sent = 0;
    response.writeHead(options.status ?? 200, options.headers ?? {});
    const pour = () => {
      while (!response.destroyed) {
        sent += Buffer.byteLength(piece);
        options.onSent?.(sent);
        if (!response.write(piece)) return;
      }
    };
    response.on("drain", pour);
    pour();
  };

const originOf = (address: AddressInfo | string | null): string => {
  if (address === null || typeof address === "string") throw new Error("the test server has no port");
  return `http://127.0.0.1:${address.port}`;
};

/** Lets a test wait for a condition that changes with events. */
function createBell() {
  const waiters = new Set<() => void>();
  return {
    ring: () => {
      for (const waiter of [...waiters]) waiter();
    },
    until: (isSo: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!isSo()) return;
          waiters.delete(check);
          resolve();
        };
        waiters.add(check);
        check();
      }),
  };
}

// Servers that offer HTTP/2: nexusd speaks HTTP/1.1 to them, so HTTP/2's failures cannot happen.

import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createDispatcher } from "../../src/http/dispatcher.ts";
import type { HttpError } from "../../src/http/errors.ts";
import { createRetry } from "../../src/http/retry.ts";
import { holdEventSource } from "../../src/http/sse.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createMcpConnection } from "../../src/services/nexus/mcp/connection.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { type Http2Behaviour, serveHttp2, serveTls } from "../support/http2-server.ts";

const get = { method: "GET", path: "/things", label: "GET /things" } as const;
const post = { method: "POST", path: "/things", label: "POST /things", json: { a: 1 }, once: true } as const;

const client = (origin: string, clock = systemClock, timeoutMs = 60_000) => {
  const dispatcher = createDispatcher();
  onTestFinished(() => dispatcher.destroy());
  return createHttpClient({
    ...{ service: "nex", origin, clock, dispatcher, timeoutMs, maxBytes: 1_000_000 },
    userAgent: "nexusd/test",
  });
};

const failure = async (answer: Promise<unknown>): Promise<HttpError> =>
  await answer.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );

const ok: Http2Behaviour = (response) =>
  void response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');

/** Over HTTP/2 the stream is reset, over HTTP/1.1 there is only the connection to end. */
const reset = (response: Parameters<Http2Behaviour>[0], code: number) => {
  if (response.stream) response.stream.close(code);
  else response.socket.destroy();
};
const [NO_ERROR, REFUSED_STREAM, CANCEL] = [0, 7, 8];

test("a connection that is up but silent is given up at the first deadline, and a new one works", async () => {
  const server = await serveHttp2(
    (response, request) => {
      if (request.connection > 0) ok(response, request);
    },
    { allowHTTP1: true },
  );
  const clock = createFakeClock();
  const { request } = client(server.origin, clock, 5000);
  const silent = failure(request(get));
  while (server.requests.length === 0) await clock.settle();
  await clock.advance(5000);
  expect(await silent).toMatchObject({ kind: "timeout", maybeSent: true });
  expect((await request(get)).json()).toEqual({ ok: true });
  expect(server.connections()).toBe(2);
});

test("reads work while the insight stream is open, even if the server allows one stream at a time", async () => {
  const server = await serveHttp2(
    (response, request) => {
      if (request.path !== "/stream") return ok(response, request);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
    },
    { allowHTTP1: true, maxConcurrentStreams: 1 },
  );
  const http = client(server.origin);
  const { promise: streaming, resolve } = Promise.withResolvers<void>();
  const over = new AbortController();
  const held = holdEventSource(
    {
      ...{ http, path: "/stream", label: "GET /stream", clock: systemClock, random: () => 0.5 },
      ...{ signal: over.signal, idleTimeoutMs: 90_000 },
    },
    { events: () => resolve() },
  ).catch(() => {});
  await streaming;
  for (let n = 0; n < 5; n++) expect((await http.request(get)).status).toBe(200);
  over.abort();
  await held;
  expect(server.requests.map(({ httpVersion }) => httpVersion)).toEqual(Array(6).fill("1.1"));
});

test.each([
  ["CANCEL", CANCEL],
  ["NO_ERROR", NO_ERROR],
])("an answer reset in the middle of its body with %s is not a success", async (_, code) => {
  const server = await serveHttp2(
    (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"rows":[]}', () => setImmediate(() => reset(response, code)));
    },
    { allowHTTP1: true },
  );
  expect(await failure(client(server.origin).request(get))).toMatchObject({
    ...{ kind: "network", code: "connection_lost", maybeSent: true },
  });
});

test("the body of a refused write is sent once in all", async () => {
  const server = await serveHttp2((response) => reset(response, REFUSED_STREAM), { allowHTTP1: true });
  expect(await failure(client(server.origin).request(post))).toMatchObject({ maybeSent: true });
  expect(server.requests.filter(({ body }) => body === '{"a":1}')).toHaveLength(1);
});

test("a server that speaks only HTTP/2 is one error with a remedy, and is not asked again", async () => {
  const server = await serveHttp2(ok, { allowHTTP1: false });
  const { request } = client(server.origin);
  const retry = createRetry({ clock: systemClock, random: () => 0 });
  const error = await failure(retry(() => request(get)));
  expect(error).toMatchObject({ kind: "network", code: "http2_only", maybeSent: false, retryable: false });
  expect(error.message).toContain("offer HTTP/1.1");
  expect([server.requests, server.connections()]).toEqual([[], 0]);
});

test("so is one that starts HTTP/2 without negotiating it", async () => {
  // The SETTINGS frame that such a server starts with.
  const origin = await serveTls((socket) => socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])));
  expect(await failure(client(origin).request(post))).toMatchObject({ code: "http2_only", maybeSent: false });
});

test("the MCP client speaks HTTP/1.1 too", async () => {
  const server = await serveHttp2(
    (response, { method, body }) => {
      const message = method === "POST" ? JSON.parse(body) : {};
      if (message.id === undefined) return void response.writeHead(202).end();
      const answers: Record<string, unknown> = {
        initialize: {
          protocolVersion: "2025-03-26",
          capabilities: { tools: {} },
          serverInfo: { name: "scripted", version: "1" },
        },
      };
      const result = answers[message.method] ?? { tools: [] };
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result }));
    },
    { allowHTTP1: true },
  );
  const mcp = createMcpConnection({ http: client(server.origin), clock: systemClock, version: "0.0.0" });
  const call = { label: "tools/list", json: { jsonrpc: "2.0", id: "1", method: "tools/list", params: {} } };
  await mcp.call(call, { signal: new AbortController().signal, once: false });
  expect(new Set(server.requests.map(({ httpVersion }) => httpVersion))).toEqual(new Set(["1.1"]));
});

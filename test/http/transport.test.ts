import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { inspect } from "node:util";
import { Agent } from "undici";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createBudget } from "../../src/http/budget.ts";
import type { HttpRequest } from "../../src/http/client.ts";
import { HttpError } from "../../src/http/errors.ts";
import { createRetry } from "../../src/http/retry.ts";
import { createHttpClient, type HttpClientOptions } from "../../src/http/transport.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import {
  closedOrigin,
  cutAfter,
  drip,
  endless,
  html,
  json,
  redirect,
  serve,
  serveRaw,
  stallBody,
  stallHeaders,
} from "../support/http-server.ts";

const TIMEOUT_MS = 5000;

const client = (origin: string, options: Partial<HttpClientOptions> = {}) =>
  createHttpClient({
    service: "nexus",
    origin,
    clock: systemClock,
    timeoutMs: TIMEOUT_MS,
    maxBytes: 1_000_000,
    userAgent: "nexusd/test",
    ...options,
  });

const get = (path = "/v1/things/secret-id"): HttpRequest => ({
  method: "GET",
  path,
  label: "GET /v1/things/:id",
});
const post = (json: unknown = {}): HttpRequest => ({
  method: "POST",
  path: "/v1/things",
  label: "POST /v1/things",
  json,
});

/** The HttpError of a request that must fail. */
const failure = async (answer: Promise<unknown>): Promise<HttpError> => {
  const error = await answer.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof HttpError) return error;
  throw error;
};

/** A dispatcher that reports when an answer's headers have arrived. */
function watchedDispatcher() {
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const dispatcher = new Agent().compose((dispatch) => (options, handler) => {
    const onResponseStart = handler.onResponseStart?.bind(handler);
    handler.onResponseStart = (...answer) => {
      onResponseStart?.(...answer);
      resolve();
    };
    return dispatch(options, handler);
  });
  return { dispatcher, answered };
}

describe("a request", () => {
  test("sends its JSON, headers and credential, and returns the answer with exact integers", async () => {
    const server = await serve((response) =>
      response
        .writeHead(201, {
          "content-type": "application/json",
          "set-cookie": ["a=1", "b=2"],
          "X-Request-Id": "r1",
        })
        .end('{"id":9007199254740993,"name":"ü"}'),
    );
    const { request } = client(server.origin, { credential: async () => ({ Authorization: "Bearer k" }) });
    const response = await request({
      ...post({ id: 9007199254740993n }),
      path: "/v1/things?limit=1&q=a%20b",
      headers: { "Content-Type": "application/vnd.test+json", authorization: "Bearer mine" },
    });
    expect(response.status).toBe(201);
    expect(response.headers).toMatchObject({ "x-request-id": "r1", "set-cookie": "a=1, b=2" });
    expect(response.json()).toEqual({ id: 9007199254740993n, name: "ü" });
    expect(server.requests).toMatchObject([
      {
        method: "POST",
        url: "/v1/things?limit=1&q=a%20b",
        body: '{"id":9007199254740993}',
        headers: {
          authorization: "Bearer k",
          "user-agent": "nexusd/test",
          "content-type": "application/vnd.test+json",
          accept: "application/json",
          "accept-encoding": "identity",
        },
      },
    ]);
  });

  test("without `authorize` sends no credential and requests none", async () => {
    const server = await serve(json({}));
    const credential = () => Promise.reject(new Error("must not be asked for"));
    await client(server.origin, { credential }).request({ ...get(), authorize: false });
    expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  test("stays on its origin even with a path that looks like another", async () => {
    const server = await serve(json({}));
    await client(server.origin).request(get("//elsewhere.test/"));
    expect(server.requests).toMatchObject([{ url: "//elsewhere.test/" }]);
  });

  test.each([
    "@elsewhere.test/",
    "https://elsewhere.test/",
    "v1",
    "/v1/../admin",
    "/v1/%2e%2E/x",
    "/a/.\t./b",
  ])("with the path %j is refused and never sent", async (path) => {
    const server = await serve(json({}));
    const error = await failure(client(server.origin).request(get(path)));
    expect(error).toMatchObject({ kind: "invalid_request", maybeSent: false, retryable: false });
    expect(server.requests).toEqual([]);
  });

  test("with a header that HTTP cannot carry is refused and never sent", async () => {
    const server = await serve(json({}));
    const error = await failure(
      client(server.origin).request({ ...get(), headers: { "x-agent-id": "a\r\nb: c" } }),
    );
    expect(error).toMatchObject({ kind: "invalid_request", maybeSent: false, retryable: false });
    expect(server.requests).toEqual([]);
  });

  test("answered by a 2xx that is not JSON returns its text, but no JSON", async () => {
    const server = await serve(html(200));
    const response = await client(server.origin).request(get());
    expect(response.text()).toContain("a page of a proxy");
    expect(() => response.json()).toThrow(
      expect.objectContaining({ kind: "invalid_body", code: "invalid_json" }),
    );
  });
});

describe("the last moment", () => {
  test("a request that may not begin any more is not sent, and says so", async () => {
    const { origin, requests } = await serve(json({}));
    const { request } = client(origin);
    const asked: boolean[] = [];
    const send = (may: boolean) =>
      request({
        ...get(),
        mayBegin: () => {
          asked.push(may);
          return may;
        },
      });
    const error = await send(false).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "too_late", retryable: true, maybeSent: false });
    expect([requests.length, asked]).toEqual([0, [false]]);
    await send(true);
    expect([requests.length, asked]).toEqual([1, [false, true]]);
  });
});

describe("a deadline", () => {
  test.each([
    ["no headers", stallHeaders],
    ["a body that stops", stallBody()],
    ["a body that drips for ever", drip(5)],
  ])("ends an exchange with %s, which may have reached the server", async (_, behaviour) => {
    const clock = createFakeClock();
    const server = await serve(behaviour);
    const outcome = failure(client(server.origin, { clock }).request(get()));
    await server.arrived(1);
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({
      kind: "timeout",
      code: "timeout",
      maybeSent: true,
      retryable: true,
    });
    expect(clock.pending()).toBe(0);
    await server.disconnected();
  });

  test("that passes before there is a connection proves that nothing was sent", async () => {
    const clock = createFakeClock();
    const dispatcher = new Agent({ connect: () => {} });
    const outcome = failure(client("http://127.0.0.1", { clock, dispatcher }).request(post()));
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({ kind: "timeout", maybeSent: false });
  });

  test("of one request overrides the client's", async () => {
    const clock = createFakeClock();
    const server = await serve(stallHeaders);
    const outcome = failure(client(server.origin, { clock }).request({ ...get(), timeoutMs: 10 }));
    await server.arrived(1);
    await clock.advance(10);
    expect(await outcome).toMatchObject({ kind: "timeout" });
  });

  test("covers a request's redirects too", async () => {
    const clock = createFakeClock();
    const server = await serve((response, request, index) => {
      if (index === 0) clock.sleep(TIMEOUT_MS - 10).then(() => redirect("/next")(response, request, index));
    });
    const outcome = failure(client(server.origin, { clock }).request(get()));
    await server.arrived(1);
    await clock.advance(TIMEOUT_MS - 10);
    await server.arrived(2);
    await clock.advance(10);
    expect(await outcome).toMatchObject({ kind: "timeout" });
  });

  test("that passes while the process is stopped does not hide an answer that arrived meanwhile", async () => {
    const clock = createFakeClock();
    const server = await serve(json({ ok: true }));
    const answer = client(server.origin, { clock }).request(get());
    await server.arrived(1);
    // Every due timer fires before anything is read.
    await clock.stall(TIMEOUT_MS);
    expect((await answer).json()).toEqual({ ok: true });
    expect(clock.pending()).toBe(0);
  });

  test("leaves no timer when the exchange ends in time", async () => {
    const clock = createFakeClock();
    const server = await serve(json({}));
    await client(server.origin, { clock }).request(get());
    expect(clock.pending()).toBe(0);
  });
});

describe("a connection", () => {
  test("that is refused proves that nothing was sent", async () => {
    const error = await failure(client(await closedOrigin()).request(post()));
    expect(error).toMatchObject({
      kind: "network",
      code: "connection_refused",
      maybeSent: false,
      retryable: true,
    });
  });

  test("to a name that does not exist proves that nothing was sent", async () => {
    const error = await failure(client("http://nexusd.invalid").request(post()));
    expect(error).toMatchObject({ kind: "network", code: "dns_failed", maybeSent: false, retryable: true });
  });

  test("without TLS where TLS was expected proves that nothing was sent", async () => {
    const server = await serve(json({}));
    const error = await failure(client(server.origin.replace("http:", "https:")).request(post()));
    expect(error).toMatchObject({ kind: "network", maybeSent: false });
    expect(server.requests).toEqual([]);
  });

  test.each([
    ["before the headers", (response: { socket: { destroy(): void } | null }) => response.socket?.destroy()],
    ["within the body", cutAfter('{"a":')],
    ["within a chunked body", cutAfter('{"a":', {})],
  ])("cut %s may have reached the server", async (_, behaviour) => {
    const server = await serve(behaviour);
    const error = await failure(client(server.origin).request(post()));
    expect(error).toMatchObject({
      kind: "network",
      code: "connection_lost",
      maybeSent: true,
      retryable: true,
    });
  });

  test("to something that is not HTTP is one error, which quotes nothing of it", async () => {
    const server = await serveRaw((socket) => socket.write("SSH-2.0-very-secret\r\n"));
    const error = await failure(client(server.origin).request(get()));
    expect(error).toMatchObject({ kind: "network", code: "invalid_http", maybeSent: true });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("very-secret");
  });

  test("is reused for the next request", async () => {
    const server = await serveRaw((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
    const { request } = client(server.origin);
    for (let index = 0; index < 3; index++) {
      await request(get());
      // undici returns a connection to its pool on the turn after its answer.
      await nextTurn();
    }
    expect(server.connections).toBe(1);
  });

  test("that the server closes as the next request is sent costs one retry and no more", async () => {
    const server = await serveRaw((socket, connection, piece) => {
      if (connection === 0 && piece === 1) socket.destroy();
      else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    });
    const { request } = client(server.origin);
    const retry = createRetry({ clock: systemClock, random: () => 0 });
    await request(get());
    expect((await retry(() => request(get()))).status).toBe(200);
    expect(server.connections).toBe(2);
  });
});

describe("the caller's signal", () => {
  test("ends a running exchange", async () => {
    const server = await serve(stallBody());
    const controller = new AbortController();
    const outcome = failure(client(server.origin).request({ ...get(), signal: controller.signal }));
    await server.arrived(1);
    controller.abort();
    expect(await outcome).toMatchObject({ kind: "aborted", maybeSent: true, retryable: false });
    await server.disconnected();
  });

  test("also ends it while an error body is read", async () => {
    const server = await serve(stallBody(503));
    const { dispatcher, answered } = watchedDispatcher();
    const controller = new AbortController();
    const outcome = failure(
      client(server.origin, { dispatcher }).request({ ...get(), signal: controller.signal }),
    );
    await answered;
    controller.abort();
    expect(await outcome).toMatchObject({ kind: "aborted" });
  });

  test("holds no reference to a finished request or stream", async () => {
    const server = await serve((response, request, index) =>
      json({}, request.url === "/fails" ? 500 : 200)(response, request, index),
    );
    const { signal } = new AbortController();
    const { request, stream } = client(server.origin);
    await request({ ...get(), signal });
    await failure(request({ ...get("/fails"), signal }));
    await failure(stream({ ...get("/fails"), signal }));
    const { body } = await stream({ ...get(), signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    body.destroy();
    await new Promise((resolve) => body.once("close", resolve));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("that has already aborted keeps the request from being sent", async () => {
    const server = await serve(json({}));
    const error = await failure(client(server.origin).request({ ...get(), signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ kind: "aborted", maybeSent: false });
    expect(server.requests).toEqual([]);
  });
});

describe("a body larger than the limit", () => {
  test("is not read to its end", async () => {
    let sent = 0;
    const server = await serve(
      endless("x".repeat(10_000), {
        onSent: (bytes) => {
          sent = bytes;
        },
      }),
    );
    const error = await failure(client(server.origin).request({ ...get(), maxBytes: 50_000 }));
    expect(error).toMatchObject({ kind: "too_large", status: 200, retryable: false, maybeSent: true });
    await server.disconnected();
    expect(sent).toBeLessThan(50_000_000);
  });

  test("is accepted at exactly the limit", async () => {
    const server = await serve(json(`"${"x".repeat(98)}"`));
    expect((await client(server.origin).request({ ...get(), maxBytes: 100 })).body).toHaveLength(100);
    expect(await failure(client(server.origin).request({ ...get(), maxBytes: 99 }))).toMatchObject({
      kind: "too_large",
    });
  });

  test("does not hide the status of an error", async () => {
    const server = await serve(endless("x".repeat(10_000), { status: 503 }));
    const error = await failure(client(server.origin, { maxBytes: 10 }).request(get()));
    expect(error).toMatchObject({ kind: "status", status: 503, code: "http_503" });
    await server.disconnected();
  });
});

describe("a response that is not 2xx", () => {
  test("has status, code, headers and body, and only the status in its message", async () => {
    const server = await serve(
      json({ error: "session_not_found", message: "gone" }, 404, { "x-request-id": "r1" }),
    );
    const error = await failure(client(server.origin).request(get()));
    expect(error).toMatchObject({
      kind: "status",
      status: 404,
      code: "session_not_found",
      message: "nexus: GET /v1/things/:id answered 404",
      body: { error: "session_not_found", message: "gone" },
      maybeSent: true,
      retryable: false,
    });
    expect(error.headers["x-request-id"]).toBe("r1");
  });

  test("shows no path, header or body when printed", async () => {
    const server = await serve(
      json({ error: "nope", message: "secret-body" }, 400, { "x-key": "secret-header" }),
    );
    const error = await failure(
      client(server.origin, { credential: async () => ({ "x-api-key": "secret-key" }) }).request(get()),
    );
    expect(`${inspect(error, { depth: 9 })} ${JSON.stringify(error)}`).not.toContain("secret");
  });

  test("is still an error with an empty body", async () => {
    const server = await serve((response) => response.writeHead(404).end());
    expect(await failure(client(server.origin).request(get()))).toMatchObject({
      status: 404,
      code: "http_404",
    });
    const head: HttpRequest = { ...get(), method: "HEAD" };
    expect(await failure(client(server.origin).request(head))).toMatchObject({
      status: 404,
      code: "http_404",
    });
  });

  test("may be a proxy's page", async () => {
    const server = await serve(html(502));
    const error = await failure(client(server.origin).request(get()));
    expect(error).toMatchObject({ status: 502, code: "http_502", retryable: true, body: undefined });
  });

  test("keeps its status even if its body never ends", async () => {
    const clock = createFakeClock();
    const server = await serve(stallBody(503));
    const { dispatcher, answered } = watchedDispatcher();
    const outcome = failure(client(server.origin, { clock, dispatcher }).request(get()));
    await answered;
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({ kind: "status", status: 503, retryable: true });
  });

  test.each([
    ["seconds", "7"],
    ["a date", "Thu, 01 Jan 2026 00:00:07 GMT"],
  ])("gives a Retry-After in %s as milliseconds, and delays all requests by it", async (_, value) => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 100, reserve: 10, clock });
    const server = await serve((response, request, index) => {
      const headers = { "retry-after": value, date: "Thu, 01 Jan 2026 00:00:00 GMT" };
      json({ error: "rate_limit_exceeded" }, index === 0 ? 429 : 200, headers)(response, request, index);
    });
    const { request } = client(server.origin, { clock, budget, timeoutMs: 60_000 });
    expect(await failure(request(get()))).toMatchObject({ code: "rate_limit_exceeded", retryAfterMs: 7000 });
    const next = request({ ...get(), priority: "people" });
    await clock.advance(6999);
    expect(server.requests).toHaveLength(1);
    await clock.advance(1);
    expect((await next).status).toBe(200);
  });
});

describe("a redirect", () => {
  test("on the same origin is followed, with the credential, as a request that counts", async () => {
    const budget = createBudget({ limit: 100, reserve: 10, clock: systemClock });
    const server = await serve((response, request, index) =>
      (request.url === "/new?x=1" ? json({ ok: true }) : redirect("/new?x=1#part", 301))(
        response,
        request,
        index,
      ),
    );
    const { request } = client(server.origin, { budget, credential: async () => ({ "x-api-key": "k" }) });
    expect((await request(get())).json()).toEqual({ ok: true });
    expect(server.requests).toMatchObject([
      { headers: { "x-api-key": "k" } },
      { headers: { "x-api-key": "k" } },
    ]);
    expect(budget.used()).toBe(2);
  });

  test("to another origin is refused, and that origin gets no request", async () => {
    const other = await serve(json({}));
    const targets = [
      `${other.origin}/x`,
      `${other.origin.replace("http:", "")}/x`,
      "http://[",
      "data:text/plain,x",
    ];
    const server = await serve((response, request, index) =>
      redirect(targets[index] ?? "")(response, request, index),
    );
    const { request } = client(server.origin, { credential: async () => ({ "x-api-key": "k" }) });
    for (const _ of targets) {
      const error = await failure(request(get()));
      expect(error).toMatchObject({ kind: "redirect_refused", code: "redirect_other_origin", status: 302 });
      expect(error.message).toBe(
        "nexus: GET /v1/things/:id answered 302, a redirect to another origin, which is not followed: is its base_url right?",
      );
    }
    expect(other.requests).toEqual([]);
  });

  test("of a request with effects is refused", async () => {
    const server = await serve(redirect("/elsewhere", 307));
    expect(await failure(client(server.origin).request(post()))).toMatchObject({
      kind: "redirect_refused",
      code: "redirect_method",
      retryable: false,
    });
    expect(server.requests).toHaveLength(1);
  });

  test("after three others is refused", async () => {
    const server = await serve(redirect("/again"));
    expect(await failure(client(server.origin).request(get()))).toMatchObject({ code: "redirect_too_many" });
    expect(server.requests).toHaveLength(4);
  });

  test("without a target is an ordinary error", async () => {
    const server = await serve((response) => response.writeHead(304).end());
    expect(await failure(client(server.origin).request(get()))).toMatchObject({
      kind: "status",
      code: "http_304",
    });
  });
});

describe("the steps before a request", () => {
  test("without a credential it is not sent", async () => {
    const server = await serve(json({}));
    const login = client(await serve(json({}, 401)).then(({ origin }) => origin));
    const credential = async () => {
      await login.request({ ...post(), label: "POST /login" });
      return {};
    };
    const error = await failure(client(server.origin, { credential }).request(post()));
    expect(error).toMatchObject({ kind: "status", status: 401, label: "POST /login", maybeSent: false });
    expect(server.requests).toEqual([]);
  });

  test("a credential that never arrives ends it at the deadline, unsent", async () => {
    const clock = createFakeClock();
    const credential = () => new Promise<Record<string, string>>(() => {});
    const outcome = failure(client("http://127.0.0.1:1", { clock, credential }).request(post()));
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({ kind: "timeout", maybeSent: false });
  });

  test("any other error of the credential is passed through", async () => {
    const broken = new Error("the file of the key is gone");
    const credential = () => Promise.reject(broken);
    await expect(client("http://127.0.0.1:1", { credential }).request(post())).rejects.toBe(broken);
  });

  test("a wait for the budget has a request's deadline, and the request then has its full own", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    const server = await serve(stallHeaders);
    const { request } = client(server.origin, { clock, budget });
    const lease = await budget.acquire({ priority: "watches" });
    lease.done();

    const unserved = failure(request(post()));
    await clock.advance(TIMEOUT_MS);
    expect(await unserved).toMatchObject({
      kind: "timeout",
      code: "budget_timeout",
      maybeSent: false,
      retryable: true,
    });
    expect([budget.waiting, budget.used()]).toEqual([0, 1]);

    await clock.advance(60_000 - TIMEOUT_MS - 1000);
    const served = failure(request(post()));
    await clock.advance(1000);
    await server.arrived(1);
    await clock.advance(TIMEOUT_MS - 1);
    expect(clock.pending()).toBe(1);
    await clock.advance(1);
    expect(await served).toMatchObject({ code: "timeout", maybeSent: true });
    await clock.advance(60_000);
    expect(budget.used()).toBe(0);
  });
});

describe("a stream", () => {
  test("resolves at its headers, outlives the time-out, and holds no place in the budget", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 5, reserve: 0, clock });
    const server = await serve(stallBody());
    const controller = new AbortController();
    const { stream } = client(server.origin, { clock, budget });
    const open = await stream({ ...get(), signal: controller.signal });
    await clock.advance(10 * 60_000);
    expect([open.body.destroyed, budget.used(), clock.pending()]).toEqual([false, 0, 0]);

    controller.abort();
    const error = await failure(Array.fromAsync(open.body));
    expect(error).toMatchObject({ kind: "aborted", label: "GET /v1/things/:id" });
    await server.disconnected();
  });

  test("has a deadline for the headers", async () => {
    const clock = createFakeClock();
    const server = await serve(stallHeaders);
    const outcome = failure(client(server.origin, { clock }).stream(get()));
    await server.arrived(1);
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({ kind: "timeout", maybeSent: true });
  });

  test("that is refused is the same error as for a request", async () => {
    const server = await serve(json({ code: 401, message: "unauthorized" }, 401));
    expect(await failure(client(server.origin).stream(get()))).toMatchObject({
      status: 401,
      code: "unauthorized",
    });
  });
});

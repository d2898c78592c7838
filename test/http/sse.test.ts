import { describe, expect, onTestFinished, test } from "vitest";
import {
  type EventSourceHandler,
  type EventSourceOptions,
  holdEventSource,
  type Loss,
} from "../../src/http/sse.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { type Behaviour, endless, json, redirect, serve, type TestServer } from "../support/http-server.ts";

const IDLE_MS = 90_000;
const HEADERS = { "content-type": "text/event-stream" };

interface Held {
  clock: FakeClock;
  server: TestServer;
  /** In order: "open", the data of an event, "healthy", "lost <failures> <code> <wait>". */
  seen: string[];
  losses: Loss[];
  outcome: Promise<unknown>;
  stop(): void;
  /** Moves the time in steps until the condition holds. */
  until(isSo: () => boolean): Promise<void>;
}

async function hold(
  behave: Behaviour,
  options: Partial<EventSourceOptions> = {},
  handler: Partial<EventSourceHandler> = {},
): Promise<Held> {
  const clock = createFakeClock();
  const server = await serve(behave);
  const http = createHttpClient({
    ...{ service: "nex", origin: server.origin, clock, timeoutMs: 5000, maxBytes: 1000 },
    userAgent: "nexusd/test",
  });
  const controller = new AbortController();
  const seen: string[] = [];
  const losses: Loss[] = [];
  const held = holdEventSource(
    {
      ...{ http, path: "/events", label: "GET /events", clock, random: () => 0.5, idleTimeoutMs: IDLE_MS },
      signal: controller.signal,
      ...options,
    },
    {
      opened: () => void seen.push("open"),
      events: (events) => void seen.push(...events.map(({ data }) => data)),
      healthy: () => void seen.push("healthy"),
      lost(loss) {
        losses.push(loss);
        seen.push(`lost ${loss.failures} ${loss.error?.code ?? "ended"} ${loss.retryInMs}`);
      },
      ...handler,
    },
  );
  const outcome = held.then(
    () => "stopped",
    (reason: unknown) => reason,
  );
  const stop = () => controller.abort("stop");
  onTestFinished(stop);
  return {
    ...{ clock, server, seen, losses, outcome, stop },
    async until(isSo) {
      const deadline = Date.now() + 30_000;
      while (!isSo()) {
        if (Date.now() > deadline) throw new Error(`in vain; seen: ${seen.join(", ")}`);
        await clock.advance(250);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
  };
}

/** Each connection gets its own text, the last one for ever, and is closed. */
const inTurn =
  (...texts: string[]): Behaviour =>
  (response, _, index) =>
    response.writeHead(200, HEADERS).end(texts[Math.min(index, texts.length - 1)]);

describe("an event source", () => {
  test("gives the events of each connection, and waits longer before each", async () => {
    const { seen, until } = await hold(inTurn("data: 1\n\ndata: 2\n\n", "data: 3\n\ndata: cut off\n"));
    await until(() => seen.filter((what) => what.startsWith("lost")).length === 2);
    expect(seen).toEqual([...["open", "1", "2", "lost 1 ended 750"], ...["open", "3", "lost 2 ended 1500"]]);
  });

  test("asks for a stream, and sends the last ID that it has seen, in UTF-8, until that is cleared", async () => {
    const { server, until, stop } = await hold(
      inTurn("data: x\n\n", "id: größe\n\n", "data: x\n\n", "id: a\u0007b\n\n", "id\n\n", ": nothing\n\n"),
    );
    await until(() => server.requests.length === 6);
    stop();
    const ids = server.requests.map(({ headers }) => headers["last-event-id"]);
    // A control character may be in an ID, but not in a header.
    expect(ids.map((id) => id && Buffer.from(String(id), "latin1").toString())).toEqual([
      ...[undefined, undefined, "größe", "größe", undefined, undefined],
    ]);
    expect(server.requests[0]?.headers).toMatchObject({
      accept: "text/event-stream",
      "cache-control": "no-store",
    });
  });

  test.each([
    ["a response", ""],
    ["comments", ": hello\n\n"],
    ["a replay", "event: insight.replay\ndata: {}\n\n"],
  ])("doubles its wait up to a minute, and %s does not reset it", async (_, text) => {
    const { losses, until } = await hold(inTurn(text));
    await until(() => losses.length === 9);
    expect(losses.map(({ retryInMs }) => retryInMs)).toEqual(
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 750),
    );
    expect(losses.map(({ failures }) => failures)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("is healthy if it still lives 30 s after it opened", async () => {
    let beat = () => {};
    const { clock, seen, losses, until, server } = await hold((response, _, index) => {
      if (index < 3) return void response.writeHead(503).end();
      response.writeHead(200, HEADERS).flushHeaders();
      beat = () => response.write(": alive\n\n");
    });
    await until(() => seen.includes("open"));
    beat();
    await clock.advance(29_000);
    expect(seen).not.toContain("healthy");
    await clock.advance(1000);
    beat();
    await until(() => seen.includes("healthy"));
    expect(losses.map(({ failures }) => failures)).toEqual([1, 2, 3]);
    await clock.advance(IDLE_MS);
    await until(() => losses.length === 4);
    expect(losses[3]).toMatchObject({ failures: 1, retryInMs: 750, error: { code: "stream_silent" } });
    await until(() => server.requests.length === 5);
  });

  test("waits at least as long as the server's `retry`, across connections, and Retry-After", async () => {
    const { losses, until } = await hold((response, _, index) => {
      if (index === 2) return void response.writeHead(503, { "retry-after": "100" }).end();
      response
        .writeHead(200, HEADERS)
        .end(["retry: 5000\n\n", ":\n\n", "", "retry: 999999999999\n\n"][index] ?? "");
    });
    await until(() => losses.length === 4);
    expect(losses.map(({ retryInMs }) => retryInMs)).toEqual([5000, 5000, 100_000, 300_000]);
  });

  test("ends on a 204, without another attempt", async () => {
    const { outcome, server, seen, clock } = await hold((response) => response.writeHead(204).end());
    expect(await outcome).toBe("stopped");
    expect([server.requests.length, seen, clock.pending()]).toEqual([1, [], 0]);
  });

  test("waits after a failure as long as its handler says, and stops if that says so", async () => {
    const { outcome, losses, until, clock, server } = await hold(
      (response, _, index) => response.writeHead(401 + 2 * index).end(),
      {
        afterFailure: ({ status }) => (status === 401 ? 300_000 : "stop"),
      },
    );
    await until(() => losses.length === 1);
    expect(losses[0]?.retryInMs).toBe(300_000);
    await clock.advance(299_000);
    expect(server.requests).toHaveLength(1);
    await clock.advance(1000);
    expect(await outcome).toBe("stopped");
  });

  test.each([
    ["a JSON error with status 200", json({ code: 401, message: "no" }), "no_event_stream"],
    ["a page of a proxy", json("<html>", 502), "http_502"],
    ["another 2xx", json("data: x\n\n", 206, HEADERS), "no_event_stream"],
    ["a redirect to another origin", redirect("http://localhost:9/events"), "redirect_other_origin"],
  ])("treats %s as a failure, and tries again", async (_, behave, code) => {
    const { losses, seen, server, until } = await hold(behave);
    await until(() => losses.length === 2);
    expect(losses.map(({ error }) => error?.code)).toEqual([code, code]);
    expect(seen).not.toContain("open");
    expect(server.requests.every(({ url }) => url === "/events")).toBe(true);
  });

  test("treats a JSON stream with status 200 as one without events", async () => {
    const { losses, until } = await hold(inTurn('{"error":"unauthorized"}\n\n'));
    await until(() => losses.length === 3);
    expect(losses.map(({ failures }) => failures)).toEqual([1, 2, 3]);
  });

  test("follows a redirect within the origin", async () => {
    const { seen, until } = await hold((response, request, index) =>
      request.url === "/events"
        ? redirect("/other", 307)(response, request, index)
        : inTurn("data: x\n\n")(response, request, index),
    );
    await until(() => seen.includes("x"));
  });

  test("gives up a line without an end and reconnects", async () => {
    const { losses, until, server } = await hold(endless("x".repeat(10_000), { headers: HEADERS }), {
      maxEventBytes: 100_000,
    });
    await until(() => losses.length === 2);
    expect(losses.map(({ error }) => error?.code)).toEqual(["body_too_large", "body_too_large"]);
    expect(server.requests).toHaveLength(2);
  });

  test("has at most one connection at any time, however they end", async () => {
    let open = 0;
    let most = 0;
    const { until, server } = await hold((response, _, index) => {
      open += 1;
      most = Math.max(most, open);
      response.on("close", () => {
        open -= 1;
      });
      if (index % 4 === 0) response.writeHead(503).end();
      else if (index % 4 === 1) response.writeHead(200, HEADERS).end("data: x\n\n");
      else if (index % 4 === 2)
        response.writeHead(200, HEADERS).write("data: x\n\n", () => response.destroy());
      else response.writeHead(200, HEADERS).flushHeaders();
    });
    await until(() => server.requests.length === 20);
    expect(most).toBe(1);
  });

  test("reads no faster than its handler", async () => {
    const gate = Promise.withResolvers<void>();
    const order: string[] = [];
    const { until } = await hold(
      inTurn("data: 1\n\ndata: 2\n\n"),
      {},
      {
        opened: async () => {
          await gate.promise;
          order.push("opened");
        },
        events: (events) => void order.push(...events.map(({ data }) => data)),
      },
    );
    await until(() => true);
    expect(order).toEqual([]);
    gate.resolve();
    await until(() => order.length >= 3);
    expect(order.slice(0, 3)).toEqual(["opened", "1", "2"]);
  });

  test.each(["opened", "events", "lost"] as const)(
    "ends with what its handler throws in `%s`, and closes its connection",
    async (hook) => {
      const { outcome, server, clock } = await hold(
        hook === "lost" ? inTurn("") : (response) => response.writeHead(200, HEADERS).write("data: x\n\n"),
        {},
        { [hook]: () => Promise.reject(new Error("of the handler")) },
      );
      expect(await outcome).toMatchObject({ message: "of the handler" });
      if (hook !== "lost") await server.disconnected();
      expect(clock.pending()).toBe(0);
    },
  );

  test.each([
    ["while it reads", "data: x\n\n"],
    ["while it waits", undefined],
  ])("ends with its signal, %s", async (_, text) => {
    const { outcome, server, seen, stop, clock, until } = await hold((response) => {
      if (text === undefined) response.writeHead(503).end();
      else response.writeHead(200, HEADERS).write(text);
    });
    await until(() => seen.some((what) => what === "x" || what.startsWith("lost")));
    stop();
    expect(await outcome).toBe("stop");
    if (text !== undefined) await server.disconnected();
    expect(clock.pending()).toBe(0);
  });
});

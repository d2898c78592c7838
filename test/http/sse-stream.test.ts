import { describe, expect, test } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { createEventDecoder, type ServerSentEvent } from "../../src/http/sse-decode.ts";
import { checkHead, type ReadEventsOptions, readEvents } from "../../src/http/sse-stream.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { type Behaviour, cutAfter, endless, serve } from "../support/http-server.ts";

const IDLE_MS = 90_000;
const HEADERS = { "content-type": "text/event-stream; charset=utf-8" };

async function* oneByOne(pieces: AsyncIterable<ServerSentEvent[]>) {
  for await (const events of pieces) yield* events;
}

async function open(behaviour: Behaviour, options: Partial<ReadEventsOptions> = {}) {
  const clock = createFakeClock();
  const server = await serve(behaviour);
  const { stream } = createHttpClient({
    service: "nex",
    origin: server.origin,
    clock,
    timeoutMs: 5000,
    maxBytes: 1000,
    userAgent: "nexusd/test",
  });
  const opened = await stream({ method: "GET", path: "/insights", label: "GET /insights" });
  return {
    clock,
    server,
    opened,
    body: opened.body,
    events: oneByOne(
      readEvents(opened, {
        idleTimeoutMs: IDLE_MS,
        maxEventBytes: 1_000_000,
        clock,
        ...options,
        decoder: createEventDecoder(options.maxEventBytes ?? 1_000_000),
      }),
    ),
  };
}

const stream =
  (...pieces: (string | Buffer)[]): Behaviour =>
  async (response) => {
    response.writeHead(200, HEADERS);
    for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
    response.end();
  };

/** Sends the pieces and stays silent for ever. */
const silentAfter =
  (...pieces: string[]): Behaviour =>
  (response) => {
    response.writeHead(200, HEADERS).flushHeaders();
    for (const piece of pieces) response.write(piece);
  };

const failure = async (events: AsyncIterable<unknown>): Promise<HttpError> => {
  try {
    for await (const _ of events);
  } catch (error) {
    if (error instanceof HttpError) return error;
    throw error;
  }
  throw new Error("it did not fail");
};

describe("a stream of events", () => {
  test("gives each event with its type, id and lines, and ends with the body", async () => {
    const { events, body } = await open(
      stream(
        ": hello\n\n",
        "event: insight.batch\nid: 7\ndata: {\ndata: }\n\n",
        "retry: 5\nother: x\ndata: plain\r\n\r\n",
      ),
    );
    expect(await Array.fromAsync(events)).toEqual([
      { event: "insight.batch", data: "{\n}", lastEventId: "7" },
      { event: "message", data: "plain", lastEventId: "7" },
    ]);
    expect(body.destroyed).toBe(true);
  });

  test("is read the same wherever its bytes are split", async () => {
    const bytes = Buffer.from("\uFEFFevent: größe\r\ndata: 😀 €\r\n\r\ndata: zwei\n\n");
    for (let at = 1; at < bytes.length; at++) {
      const { events } = await open(stream(bytes.subarray(0, at), bytes.subarray(at)));
      expect(await Array.fromAsync(events)).toEqual([
        { event: "größe", data: "😀 €", lastEventId: "" },
        { event: "message", data: "zwei", lastEventId: "" },
      ]);
    }
  });

  test("drops an event that the end of the stream cut off", async () => {
    const { events } = await open(stream("data: whole\n\n", "data: half\n"));
    expect(await Array.fromAsync(events)).toEqual([{ event: "message", data: "whole", lastEventId: "" }]);
  });

  test.each([
    [200, undefined],
    [200, "application/json"],
    [200, "text/html"],
    [200, "text/event-streams"],
    [204, "text/event-stream"],
    [206, "text/event-stream"],
  ])("is not recognised with the status %i and the content type %j", async (status, type) => {
    const { opened } = await open((response) => {
      response.writeHead(status, type === undefined ? {} : { "content-type": type });
      if (status === 204) response.end();
      else response.write("data: x\n\n");
    });
    expect(() => checkHead(opened)).toThrow(HttpError);
    expect(() => checkHead(opened)).toThrow(`nex: GET /insights answered ${status} without a stream`);
    opened.body.destroy();
  });

  test.each(["text/event-stream", "Text/Event-Stream ; charset=utf-8", "text/event-stream;charset=latin1"])(
    "is recognised with the content type %j",
    async (type) => {
      const { opened } = await open((response) => {
        response.writeHead(200, { "content-type": type }).flushHeaders();
      });
      checkHead(opened);
      opened.body.destroy();
    },
  );

  test("that is cut is a network error, after the complete events", async () => {
    const { events, server } = await open(cutAfter("data: x\n\ndata: y", HEADERS));
    const seen: string[] = [];
    const error = await failure(
      (async function* () {
        for await (const { data } of events) {
          seen.push(data);
          yield;
        }
      })(),
    );
    expect(error).toMatchObject({
      kind: "network",
      code: "connection_lost",
      retryable: true,
      service: "nex",
    });
    expect(seen).toEqual(["x"]);
    await server.disconnected();
  });

  test("that falls silent is a time-out, counted from its last bytes, including comments", async () => {
    let response: Parameters<Behaviour>[0] | undefined;
    let activity = 0;
    const { events, clock, server } = await open(
      (opened) => {
        response = opened;
        opened.writeHead(200, HEADERS).flushHeaders();
      },
      { onActivity: () => activity++ },
    );
    const outcome = failure(events);
    await clock.advance(IDLE_MS - 1);
    response?.write(": keepalive\n\n");
    await untilTrue(() => activity === 1);
    await clock.advance(IDLE_MS - 1);
    expect(clock.pending()).toBe(1);
    await clock.advance(1);
    expect(await outcome).toMatchObject({ kind: "timeout", code: "stream_silent", retryable: true });
    expect(clock.pending()).toBe(0);
    await server.disconnected();
  });

  test("does not count its reader's time as silence", async () => {
    const { events, clock } = await open(stream("data: 1\n\n", "data: 2\n\n"));
    const seen: string[] = [];
    for await (const { data } of events) {
      seen.push(data);
      await clock.advance(2 * IDLE_MS);
    }
    expect(seen).toEqual(["1", "2"]);
  });

  test.each([
    ["a line that never ends", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxx"],
    ["an event that never ends", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"],
  ])("with %s is too large, and is no longer read", async (_, piece) => {
    const { events, server } = await open(endless(piece, { headers: HEADERS }), { maxEventBytes: 100_000 });
    expect(await failure(events)).toMatchObject({ kind: "too_large", retryable: false });
    await server.disconnected();
  });

  test("with endless events needs no more memory than one of them", async () => {
    const { events, server } = await open(endless(`data: ${"x".repeat(50_000)}\n\n`, { headers: HEADERS }), {
      maxEventBytes: 60_000,
    });
    let count = 0;
    for await (const _ of events) if (++count === 200) break;
    expect(count).toBe(200);
    await server.disconnected();
  });

  test("closes its connection when its reader stops, returns or fails", async () => {
    const { events, server } = await open(silentAfter("data: x\n\n"));
    const read = async () => {
      for await (const { data } of events) throw new Error(data);
    };
    await expect(read()).rejects.toThrow("x");
    await server.disconnected();
  });

  test("ends with its reader's signal", async () => {
    const controller = new AbortController();
    const { events, server, clock } = await open(silentAfter("data: x\n\n"), { signal: controller.signal });
    const outcome = failure(events);
    await clock.settle();
    controller.abort();
    expect(await outcome).toMatchObject({ kind: "aborted", retryable: false });
    await server.disconnected();
    expect(clock.pending()).toBe(0);
  });

  test("does not start if its signal has already aborted", async () => {
    const { events, server } = await open(silentAfter("data: x\n\n"), { signal: AbortSignal.abort() });
    expect(await failure(events)).toMatchObject({ kind: "aborted" });
    await server.disconnected();
  });
});

async function untilTrue(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * The Nex stand-in follows the documentation of the insight stream and its REST fallback, and injects faults on
 * request.
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../sandbox/clock.ts";
import { type NexOptions, type NexServer, startNex } from "../../sandbox/nex.ts";

const authorization = "Bearer key";
let server: NexServer;

beforeEach(async () => {
  server = await startNex({ apiKey: "key" });
});
afterEach(async () => {
  await server.close();
});

/** Ends with this server instead of the default one. */
async function restartWith(options: Partial<NexOptions>) {
  await server.close();
  server = await startNex({ apiKey: "key", ...options });
}

async function list(query = "") {
  const response = await fetch(`${server.url}/api/developers/v1/insights${query}`, {
    headers: { authorization },
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) };
}

async function control(body: unknown) {
  const response = await fetch(`${server.url}/_control`, { method: "POST", body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

/** An open stream, read frame by frame (a comment or an event, without the blank line behind it). */
async function openStream() {
  const response = await fetch(`${server.url}/api/developers/v1/insights/stream`, {
    headers: { authorization, accept: "text/event-stream" },
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    response,
    /** Rejects when the stream breaks. */
    async next(): Promise<string> {
      while (!text.includes("\n\n")) {
        const chunk = await reader?.read();
        if (chunk === undefined || chunk.done)
          throw new Error(`the stream ended after ${text.length} characters`);
        text += chunk.value;
      }
      const end = text.indexOf("\n\n");
      const frame = text.slice(0, end);
      text = text.slice(end + 2);
      return frame;
    },
    async nextEvent() {
      const [event = "", data = ""] = (await this.next()).split("\n");
      return {
        event: event.replace("event: ", ""),
        text: data,
        data: JSON.parse(data.replace("data: ", "")),
      };
    },
    close: () => reader?.cancel(),
  };
}

const contents = (insights: { content: string }[]) => insights.map((insight) => insight.content);

describe("the stream", () => {
  test("starts with the connected comment, then one replay with the latest insights, oldest first", async () => {
    await restartWith({ replaySize: 2 });
    for (const content of ["one", "two", "three"]) server.emit([{ content }]);
    const stream = await openStream();
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(await stream.next()).toMatch(/^: connected workspace_id=\S+ token_id=\S+$/);
    const { event, data } = await stream.nextEvent();
    expect(event).toBe("insight.replay");
    expect(contents(data.insights)).toEqual(["two", "three"]);
    expect(data).toMatchObject({ insight_count: 2, workspace: { slug: "sandbox-supply" } });
  });

  test("an empty workspace has no replay; a live batch arrives as it is, with an exact operation_id, without id lines", async () => {
    const stream = await openStream();
    await stream.next();
    server.emit([{ content: "one", type: "risk" }, { content: "two" }]);
    const { event, text, data } = await stream.nextEvent();
    expect(event).toBe("insight.batch.created");
    expect(contents(data.insights)).toEqual(["one", "two"]);
    expect(data.insights[0]).toMatchObject({
      type: "risk",
      confidence: 0.85,
      target: { hint: "John Smith" },
    });
    expect(data.insights[0]).not.toHaveProperty("id");
    expect(data).toMatchObject({ insight_count: 2, emitted_at: expect.any(String) });
    expect(text).toContain('"operation_id":48066188026052611');
  });

  test("the single replay style sends one simplified insight per event", async () => {
    await restartWith({ replayStyle: "single" });
    server.emit([{ content: "one" }, { content: "two" }]);
    const stream = await openStream();
    await stream.next();
    for (const content of ["one", "two"]) {
      const { event, data } = await stream.nextEvent();
      expect([event, data.content]).toEqual(["insight.replay", content]);
      for (const field of ["confidence", "evidence", "created_at", "insights"]) {
        expect(data).not.toHaveProperty(field);
      }
    }
  });

  test("keepalive comments are sent at their interval", async () => {
    await restartWith({ keepaliveMs: 10 });
    const stream = await openStream();
    await stream.next();
    expect([await stream.next(), await stream.next()]).toEqual([": keepalive", ": keepalive"]);
  });

  test("insights emitted with live: false appear only in the next replay and by REST", async () => {
    const stream = await openStream();
    await stream.next();
    await control({ emit: [{ content: "quiet" }], live: false });
    await control({ emit: [{ content: "loud" }] });
    expect(contents((await stream.nextEvent()).data.insights)).toEqual(["loud"]);
    const later = await openStream();
    await later.next();
    expect(contents((await later.nextEvent()).data.insights)).toEqual(["quiet", "loud"]);
    expect(contents((await list()).body.insights)).toEqual(["loud", "quiet"]);
  });

  test("cutStreams breaks every stream, and streams are counted", async () => {
    const streams = await Promise.all([openStream(), openStream()]);
    await Promise.all(streams.map((stream) => stream.next()));
    expect([server.streams(), server.maxConcurrentStreams()]).toEqual([2, 2]);
    await control({ cutStreams: true });
    for (const stream of streams) await expect(stream.next()).rejects.toThrow();
    await expect.poll(() => server.streams()).toBe(0);
    const again = await openStream();
    await again.next();
    expect([server.streams(), server.maxConcurrentStreams()]).toEqual([1, 2]);
    await again.close();
    await expect.poll(() => server.streams()).toBe(0);
  });
});

describe("the REST window", () => {
  const start = Date.parse("2026-03-01T10:00:00Z");
  const at = (minutes: number) => new Date(start + minutes * 60_000).toISOString();

  async function tenMinutes() {
    const clock = systemClock();
    clock.advance(start + 10 * 60_000 - Date.now());
    await restartWith({ clock });
    for (const minute of [0, 4, 9]) server.emit([{ content: `minute ${minute}`, created_at: at(minute) }]);
  }

  test.each([
    ["?last=7m", ["minute 9", "minute 4"]],
    ["?last=1h30m", ["minute 9", "minute 4", "minute 0"]],
    ["?last=90s", ["minute 9"]],
    ["?limit=1", ["minute 9"]],
    [`?from=${at(0)}&to=${at(4)}`, ["minute 4", "minute 0"]],
    [`?from=${at(0)}&to=${at(10)}&limit=2`, ["minute 9", "minute 4"]],
    [`?from=2026-03-01T11:03:00%2B01:00&to=${at(5)}`, ["minute 4"]],
    [`?from=${at(1)}&to=${at(2)}`, []],
  ])("%s returns the newest of the window", async (query, expected) => {
    await tenMinutes();
    const { status, body } = await list(query);
    expect([status, contents(body.insights)]).toEqual([200, expected]);
    expect(body.insight_count).toBe(expected.length);
  });

  test.each([
    "?last=1d",
    "?last=0s",
    "?last=",
    "?last=5",
    `?from=${at(0)}`,
    `?to=${at(0)}`,
    `?last=1h&from=${at(0)}&to=${at(1)}`,
    `?from=${at(1)}&to=${at(0)}`,
    "?from=2026-03-01&to=2026-03-02",
    "?limit=101",
    "?limit=0",
    "?limit=x",
    "?limit=",
  ])("%s is 400", async (query) => {
    const { status, body } = await list(query);
    expect([status, body]).toEqual([400, { code: 400, message: expect.any(String) }]);
  });

  test("without a limit 20 are returned, at most 100 ever, and retention forgets the oldest", async () => {
    await restartWith({ retention: 110 });
    server.emit(Array.from({ length: 120 }, (_, n) => ({ content: `n${n}` })));
    expect((await list()).body.insights).toHaveLength(20);
    expect((await list("?limit=100")).body.insights[0].content).toBe("n119");
    const state = await fetch(`${server.url}/_control`).then((response) => response.json());
    expect(state).toMatchObject({ insights: 110, streams: 0, faults: [], requests: [{}, {}] });
  });
});

describe("shapes and access", () => {
  test("the shape can be the enriched batch, data with ids, or a bare array", async () => {
    server.emit([{ content: "one" }]);
    expect((await list()).text).toContain('"operation_id":48066188026052611');
    await control({ setShape: "bare" });
    expect(contents((await list()).body)).toEqual(["one"]);
    await control({ setShape: "data" });
    expect((await list()).body).toEqual({
      data: [
        {
          id: "48066188026052612",
          workspace_id: expect.any(String),
          content: "one",
          type: "opportunity",
          entities: [{ id: expect.any(String), name: "John Smith", type: "person" }],
          created_at: expect.any(String),
        },
      ],
    });
    expect((await control({ setShape: "xml" })).status).toBe(400);
  });

  test("withIds gives the enriched insights ids too, identical in stream and REST", async () => {
    await restartWith({ withIds: true });
    const stream = await openStream();
    await stream.next();
    const [emitted] = server.emit([{ content: "one" }]);
    expect((await stream.nextEvent()).data.insights[0].id).toBe(emitted?.id);
    expect((await list()).body.insights[0].id).toBe(emitted?.id);
  });

  test.each(["", "/stream"])("a wrong key is 401 and a missing scope 403 on insights%s", async (path) => {
    const url = `${server.url}/api/developers/v1/insights${path}`;
    const wrong = await fetch(url, { headers: { authorization: "Bearer other" } });
    expect([wrong.status, await wrong.json()]).toEqual([401, { code: 401, message: expect.any(String) }]);
    await control({ setScopes: ["record.read"] });
    const refused = await fetch(url, { headers: { authorization } });
    expect([refused.status, await refused.json()]).toEqual([403, { code: 403, message: expect.any(String) }]);
  });
});

describe("injected faults", () => {
  test("cut: a stream breaks after a given number of bytes, in the middle of an event", async () => {
    server.addFault({ kind: "cut", match: "/stream", afterBytes: 200 });
    const stream = await openStream();
    await stream.next();
    server.emit([{ content: "one" }]);
    await expect(stream.next()).rejects.toThrow();
  });

  test("slow-body: a stream is open but silent until cleared", async () => {
    await restartWith({ keepaliveMs: 5 });
    server.addFault({ kind: "slow-body", match: "/stream" });
    const stream = await openStream();
    expect([stream.response.status, server.streams()]).toEqual([200, 0]);
    server.clearFaults();
    expect(await stream.next()).toMatch(/^: connected/);
  });

  test("duplicate: an event comes twice, a page has each insight twice", async () => {
    const stream = await openStream();
    await stream.next();
    server.addFault({ kind: "duplicate", times: 2 });
    server.emit([{ content: "one" }]);
    expect((await stream.nextEvent()).text).toBe((await stream.nextEvent()).text);
    expect(contents((await list()).body.insights)).toEqual(["one", "one"]);
    expect(contents((await list()).body.insights)).toEqual(["one"]);
  });

  test("status and html: errors of the service and of a proxy in front of it", async () => {
    await control({ fault: { kind: "status", status: 503, match: "GET /api" } });
    expect(await list()).toMatchObject({ status: 503, body: { code: 503 } });
    await control({ fault: { kind: "html", match: "/stream" } });
    expect((await openStream()).response.headers.get("content-type")).toBe("text/html");
  });

  test("closing ends open streams at once", async () => {
    const stream = await openStream();
    await stream.next();
    await server.close();
    await expect(stream.next()).rejects.toThrow();
  });
});

// The log as server-sent events: exact over reconnects, at the reader's own pace.

import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { message, recovered, startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("a reader learns at once that it is connected, before the first event", async () => {
  const { stream } = await startTestControl();
  const reader = await stream("/v1/events/stream");
  expect(reader.response).toMatchObject({ statusCode: 200 });
  expect(reader.response.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
  });
  await reader.until(() => reader.comments.length === 1);
});

test("stored events come first, then new ones, as id, type and the event itself", async () => {
  const { append, stream, get } = await startTestControl();
  await append(message(), message());
  const reader = await stream("/v1/events/stream?after=1");
  await reader.until(() => reader.messages.length === 1);
  await append(recovered());
  await reader.until(() => reader.messages.length === 2);

  const { json } = await get("/v1/events?after=1");
  expect(reader.messages.map(({ id, event, data }) => ({ id, event, data: JSON.parse(data) }))).toEqual([
    { id: "2", event: "nexusd.messaging.message.received", data: json.events[0] },
    { id: "3", event: "nexusd.service.recovered", data: json.events[1] },
  ]);
});

test("text with line breaks of every kind stays one event", async () => {
  const { append, stream } = await startTestControl();
  const text = "a\nb\r\nc\rdata: d\n\nid: 99\u2028e";
  await append(message("session-1", { text }));
  const reader = await stream("/v1/events/stream");
  await reader.until(() => reader.messages.length === 1);
  expect(JSON.parse(reader.messages[0]?.data ?? "").data.text).toBe(text);
  expect(reader.ids()).toEqual([1]);
});

test("a filter leaves out what does not match and keeps the numbers", async () => {
  const { append, stream } = await startTestControl();
  await append(message(), recovered(), message());
  const reader = await stream("/v1/events/stream?type=messaging.*");
  await append(recovered(), message());
  await reader.until(() => reader.messages.length === 3);
  expect(reader.ids()).toEqual([1, 3, 5]);
});

test("Last-Event-ID overrides the position in the URL, as EventSource needs it", async () => {
  const { append, stream } = await startTestControl();
  await append(message(), message(), message());
  const reader = await stream("/v1/events/stream?after=0", { "last-event-id": "2" });
  await reader.until(() => reader.messages.length === 1);
  expect(reader.ids()).toEqual([3]);
});

test("a comment is sent after every 15 s of silence", async () => {
  const clock = createFakeClock();
  const { stream } = await startTestControl({ clock });
  const reader = await stream("/v1/events/stream");
  await reader.until(() => reader.comments.length === 1);
  for (const count of [2, 3]) {
    while (clock.pending() === 0) await clock.settle();
    await clock.advance(15_000);
    await reader.until(() => reader.comments.length === count);
  }
});

test("events do not postpone the comment", async () => {
  const clock = createFakeClock();
  const { append, stream } = await startTestControl({ clock });
  const reader = await stream("/v1/events/stream");
  for (const sequence of range(1, 4)) {
    while (clock.pending() === 0) await clock.settle();
    await clock.advance(4000);
    await append(message());
    await reader.until(() => reader.messages.length === sequence);
  }
  expect(reader.comments).toHaveLength(2);
});

test("a reader that reconnects again and again during commits gets each event exactly once, in order", async () => {
  const total = 600;
  const { append, stream } = await startTestControl();
  const appending = (async () => {
    for (let sequence = 0; sequence < total; sequence += 3) await append(message(), recovered(), message());
  })();
  const received: number[] = [];
  let connections = 0;
  while (received.length < total) {
    const last = received.at(-1);
    const reader = await stream("/v1/events/stream", last ? { "last-event-id": String(last) } : {});
    connections++;
    const share = Math.min(total - received.length, 1 + ((connections * 37) % 60));
    await reader.until(() => reader.messages.length >= share);
    reader.close();
    received.push(...reader.ids());
  }
  await appending;
  expect(connections).toBeGreaterThan(5);
  expect(received).toEqual(range(1, total));
});

test("a reader that stalls during 5,000 commits gets each event once, and costs little meanwhile", async () => {
  const total = 5000;
  const { append, stream, store } = await startTestControl();
  await append(message());
  const reader = await stream("/v1/events/stream");
  await reader.until(() => reader.messages.length === 1);
  reader.response.pause();
  const reads = vi.spyOn(store, "readEvents");

  const text = "x".repeat(2000);
  for (let sequence = 1; sequence < total; sequence += 200)
    await append(...Array.from({ length: Math.min(200, total - sequence) }, () => message("s", { text })));
  // 10 MB are in the log; no more of them was read than the buffers in between hold.
  expect(Math.max(...reads.mock.calls.map(([{ after }]) => after))).toBeLessThan(total / 4);

  reader.response.resume();
  await reader.until(() => reader.messages.length >= total);
  expect(reader.ids()).toEqual(range(1, total));
});

test("however many readers have the log to read, a short request waits for few of their pages", async () => {
  const total = 6400;
  const { append, get, stream, store } = await startTestControl();
  await append(...Array.from({ length: total }, () => message()));
  const reads = vi.spyOn(store, "readEvents");
  const readers = await Promise.all(Array.from({ length: 32 }, () => stream("/v1/events/stream")));
  const pages: number[] = [];
  while (readers.some(({ messages }) => messages.length < total)) {
    const before = reads.mock.calls.length;
    await get("/v1/health");
    pages.push(reads.mock.calls.length - before);
  }
  expect(pages).not.toEqual([]);
  // Otherwise each reader takes one in each turn of the event loop, and a request takes several turns.
  expect(Math.max(...pages)).toBeLessThan(20);
});

test("events removed by retention before the reader came are announced, without an id", async () => {
  const { append, stream, store } = await startTestControl();
  await append(message(), message(), message());
  await store.pruneEvents({ keep: 1 });
  const reader = await stream("/v1/events/stream");
  await reader.until(() => reader.messages.length === 2);
  expect(reader.messages[0]).toMatchObject({ event: "nexusd.log.gap", data: '{"from":1,"to":2}' });
  expect(reader.messages[0]?.id).toBeUndefined();
  expect(reader.messages[1]).toMatchObject({ id: "3" });
});

test.each([
  ["/v1/events/stream?after=9", {}, 409, "cursor_ahead"],
  ["/v1/events/stream", { "last-event-id": "9" }, 409, "cursor_ahead"],
  ["/v1/events/stream?epoch=other", {}, 409, "epoch_changed"],
  ["/v1/events/stream", { "last-event-id": "x" }, 400, "invalid_request"],
  ["/v1/events/stream?limit=1", {}, 400, "invalid_request"],
])("%s %j is refused before the stream starts: %i %s", async (path, headers, status, code) => {
  const { get } = await startTestControl();
  expect((await get(path, { headers: { ...headers } })).json).toMatchObject({ status, code });
});

test("the stream ends cleanly when the daemon stops", async () => {
  const { stream, stop } = await startTestControl();
  const reader = await stream("/v1/events/stream");
  await reader.until(() => reader.comments.length === 1);
  stop.abort();
  await once(reader.response, "end");
});

test("a stream whose log becomes unreadable ends and is logged", async () => {
  const clock = createFakeClock();
  const { stream, store, logged } = await startTestControl({ clock });
  const reader = await stream("/v1/events/stream");
  while (clock.pending() === 0) await clock.settle();
  await store.close();
  await clock.advance(15_000);
  await reader.ended;
  expect(logged).toContainEqual(expect.objectContaining({ level: 40, err: expect.anything() }));
});

test("disconnected readers leave nothing behind", async () => {
  const clock = createFakeClock();
  const { stream } = await startTestControl({ clock });
  const readers = await Promise.all(Array.from({ length: 20 }, () => stream("/v1/events/stream")));
  while (clock.pending() < 20) await clock.settle();
  for (const reader of readers) reader.close();
  while (clock.pending() > 0) await clock.settle();
  expect(clock.pending()).toBe(0);
});

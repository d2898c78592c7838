// Searches on a thread of their own: whatever becomes of one, the next one works, and an idle store has no thread.

import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { createSearch } from "../../src/store/sqlite/search.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";

const ANSWERS = 'require("node:worker_threads").parentPort.on("message", (query) => {';
const GOOD = `${ANSWERS} if (query === null) process.exit(0);
  require("node:worker_threads").parentPort.postMessage({ found: [{ sequence: query.limit, time: "", data: "{}" }] }); });`;
const SILENT = `${ANSWERS} });`;
const HUNG = `${ANSWERS} for (;;); });`;
const CRASHING = `${ANSWERS} throw new Error("out of memory, say"); });`;

/** The first thread runs the first code, and so on; the last one is repeated. */
function search(...codes: string[]) {
  const clock = createFakeClock();
  const threads: Worker[] = [];
  const start = () => {
    const thread = new Worker(codes[threads.length] ?? codes.at(-1) ?? "", { eval: true });
    threads.push(thread);
    return thread;
  };
  const made = createSearch({ path: "unused", place: "/data", clock, start });
  onTestFinished(async () => {
    for (const thread of threads) await thread.terminate();
  });
  return { clock, threads, find: (limit: number) => made.find({ limit }), close: made.close };
}

const exitOf = (thread: Worker | undefined) =>
  new Promise<void>((resolve) => thread?.once("exit", () => resolve()));
const found = (limit: number) => [{ sequence: limit, time: "", data: "{}" }];

test("searches are answered in order, by one thread", async () => {
  const { find, threads } = search(GOOD);
  const asked = [find(1), find(2), find(3)];
  expect(await Promise.all(asked)).toEqual([found(1), found(2), found(3)]);
  expect(threads).toHaveLength(1);
});

test.each([
  ["is silent", SILENT],
  ["never comes back", HUNG],
])("a search whose thread %s fails after 10 s, and the next one gets a new thread", async (_, code) => {
  const { find, clock, threads } = search(code, GOOD);
  const late = expect(find(1)).rejects.toMatchObject({
    code: "busy",
    message: expect.stringMatching(/10 s/),
  });
  await clock.advance(9_000);
  const second = find(2);
  await clock.advance(1_000);
  await late;
  expect(await second).toEqual(found(2));
  expect(threads).toHaveLength(2);
});

test("a thread that dies fails only the search it was working on", async () => {
  const { find, threads } = search(CRASHING, GOOD);
  const first = expect(find(1)).rejects.toMatchObject({
    code: "busy",
    message: expect.stringMatching(/say/),
  });
  const second = find(2);
  await first;
  expect(await second).toEqual(found(2));
  expect(threads).toHaveLength(2);
});

test("a thread that was idle for 30 s ends, and the next search starts a new one", async () => {
  const { find, clock, threads } = search(GOOD);
  await find(1);
  const exit = exitOf(threads[0]);
  await clock.advance(29_000);
  await find(2);
  await clock.advance(29_000);
  expect(threads).toHaveLength(1);
  await clock.advance(1_000);
  await exit;
  expect(await find(3)).toEqual(found(3));
  expect(threads).toHaveLength(2);
});

test("a search that arrives while its thread ends is answered by the next one", async () => {
  const { find, clock, threads } = search(GOOD);
  await find(1);
  await clock.advance(30_000);
  expect(await find(2)).toEqual(found(2));
  expect(threads.length).toBeLessThanOrEqual(2);
});

test("closing fails searches in progress, and leaves no thread", async () => {
  const { find, clock, close, threads } = search(HUNG);
  const failed = [find(1), find(2)].map((asked) => expect(asked).rejects.toMatchObject({ code: "busy" }));
  const exit = exitOf(threads[0]);
  const closed = close();
  await Promise.all(failed);
  await clock.advance(1_000);
  await Promise.all([closed, exit]);
});

test("a search does not block the event loop, and a page ends when it is long enough", async () => {
  const store = await openTestStore({ dataDir: join(temporaryDirectory(), "data") });
  const content = (n: number) => `budget ${"offer delivery renewal ".repeat(20)}${n}`;
  const event = (n: number) => ({
    type: "nex.insight.received" as const,
    source: "/nex/insights",
    data: { insight: { id: `i-${n}`, content: content(n) }, workspace: null, origin: "live" as const },
  });
  await store.commitObservation({ source: "test", events: Array.from({ length: 2000 }, (_, n) => event(n)) });
  let turns = 0;
  let isDone = false;
  const turn = () => {
    turns++;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const all = await store.searchEvents({ text: "bu de re of", limit: 1000 });
  isDone = true;
  expect(all).toHaveLength(1000);
  expect(turns).toBeGreaterThan(3);
  const page = await store.searchEvents({ text: "bu", limit: 1000, maxLength: 5000 });
  expect(page).toEqual(all.slice(0, page.length));
  const length = page.reduce((sum, { data }) => sum + data.length, 0);
  expect(length).toBeGreaterThanOrEqual(5000);
  expect(length).toBeLessThan(6000);
});

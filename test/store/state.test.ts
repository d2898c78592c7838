import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RecordRange } from "../../src/contract/store.ts";
import { testSqlite } from "../support/adapters.ts";
import { numbered, openTestStore, settableClock, temporaryDirectory } from "../support/store.ts";

const START = "2026-03-01T00:00:00.000Z";
const LATER = "2026-03-01T00:00:10.000Z";

test("a cursor is any JSON value, exact, and updatedAt is the time of its last change", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  expect(await store.readCursor("s")).toBeUndefined();
  await store.commitObservation({ source: "s", cursor: { at: 48066188026052611n } });
  clock.set(LATER);
  await store.commitObservation({ source: "s", cursor: { at: 48066188026052611n } });
  await store.commitObservation({ source: "s" });
  expect(await store.readCursor("s")).toEqual({ value: { at: 48066188026052611n }, updatedAt: START });
  await store.commitObservation({ source: "s", cursor: null });
  expect(await store.readCursor("s")).toEqual({ value: null, updatedAt: LATER });
});

test("records are kept by kind and key, ordered by key", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  await store.commitObservation({
    source: "s",
    put: [
      { kind: "k", key: "b", value: 1 },
      { kind: "k", key: "a", value: [true] },
      { kind: "other", key: "a", value: "x" },
    ],
  });
  clock.set(LATER);
  await store.commitObservation({
    source: "s",
    put: [{ kind: "k", key: "b", value: 2 }],
    remove: [{ kind: "other", key: "a" }],
  });
  expect(await store.readRecords("k")).toEqual([
    { key: "a", value: [true], json: "[true]", updatedAt: START },
    { key: "b", value: 2, json: "2", updatedAt: LATER },
  ]);
  expect(await store.readRecord("k", "b")).toEqual({ key: "b", value: 2, json: "2", updatedAt: LATER });
  expect(await store.readRecord("other", "a")).toBeUndefined();
  expect(await store.readRecords("other")).toEqual([]);
});

test("records are read by ranges of keys, none twice and none left out", async () => {
  const store = await openTestStore();
  const keys = ["a", "b", "c", "d", "e"];
  await store.commitObservation({
    source: "s",
    put: keys.map((key, n) => ({ kind: "k", key, value: n === 2 ? { big: 48066188026052611n } : n })),
  });
  const part = async (range: RecordRange) => (await store.readRecords("k", range)).map(({ key }) => key);
  expect(await part({ after: "", limit: 2 })).toEqual(["a", "b"]);
  expect(await part({ after: "b", limit: 2 })).toEqual(["c", "d"]);
  expect(await part({ after: "d", limit: 2 })).toEqual(["e"]);
  expect(await part({ after: "a", upTo: "c", limit: 9 })).toEqual(["b", "c"]);
  expect(await store.readRecords("k", { after: "", limit: 9 })).toEqual(await store.readRecords("k"));
  expect(await store.readRecords("none", { after: "", limit: 9 })).toEqual([]);
});

testSqlite("a secret survives a restart, and is in no file once it was removed", async () => {
  const dataDir = temporaryDirectory();
  const holdsSecret = () =>
    readdirSync(dataDir).some((file) => readFileSync(join(dataDir, file)).includes("hunter2hunter2"));
  const first = await openTestStore({ dataDir });
  await first.commitObservation({ source: "s", secrets: [{ name: "key", value: "hunter2hunter2" }] });
  await first.close();
  expect(holdsSecret()).toBe(true);

  const second = await openTestStore({ dataDir });
  expect(await second.readSecret("key")).toBe("hunter2hunter2");
  await second.commitObservation({ source: "s", secrets: [{ name: "key", value: null }] });
  expect(await second.readSecret("key")).toBeUndefined();
  await second.close();
  expect(holdsSecret()).toBe(false);
});

test("a consumer starts where it is put, moves only forward, and can be put back", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  await store.commitObservation({ source: "s", events: Array.from({ length: 5 }, (_, n) => numbered(n)) });
  await store.pruneEvents({ keep: 3 });
  const made = { isBound: false, createdAt: START, updatedAt: START };
  expect(await store.putConsumer("b", "latest")).toEqual({ name: "b", position: 5, types: null, ...made });
  expect(await store.putConsumer("a", "oldest", ["messaging.*"])).toEqual({
    name: "a",
    position: 2,
    types: ["messaging.*"],
    ...made,
  });
  clock.set(LATER);
  expect(await store.ackConsumer("a", 4)).toMatchObject({ position: 4, createdAt: START, updatedAt: LATER });
  clock.set("2026-03-01T00:00:20Z");
  expect(await store.ackConsumer("a", 3)).toMatchObject({ position: 4, updatedAt: LATER });
  expect(await store.ackConsumer("unknown", 3)).toBeUndefined();
  expect(await store.putConsumer("a", 1)).toMatchObject({ position: 1, types: null, createdAt: START });
  expect((await store.readConsumers({ limit: 10 })).map(({ name }) => name)).toEqual(["a", "b"]);
  expect(await store.deleteConsumer("a")).toBe(true);
  expect(await store.deleteConsumer("a")).toBe(false);
  expect(await store.readConsumer("a")).toBeUndefined();
});

import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { Store } from "../../src/contract/store.ts";
import { testSqlite } from "../support/adapters.ts";
import { numbered, numbersOf, openTestStore, settableClock, temporaryDirectory } from "../support/store.ts";

const START = "2026-03-01T00:00:00.000Z";

const message = (session: string, n: number, json?: unknown): NewEvent => ({
  type: "messaging.message.received",
  source: `/messaging/sessions/${session}`,
  subject: `m${n}`,
  data: {
    sessionId: session,
    alias: null,
    messageId: `m${n}`,
    cursor: `${n}`,
    agentId: "peer",
    ...(json === undefined ? {} : { json }),
    verified: true,
    expiresAt: null,
  },
  dedupe: { scope: `messaging:${session}`, match: [`m${n}`], record: [`m${n}`] },
});

const commit = (store: Store, ...events: NewEvent[]) => store.commitObservation({ source: "test", events });

const sequences = (page: { events: { sequence: number }[] }) => page.events.map(({ sequence }) => sequence);

const left = (session: string): NewEvent => ({
  type: "messaging.session.left",
  source: `/messaging/sessions/${session}`,
  data: { sessionId: session, alias: null },
});

/** 1 to 9: messages of a (1, 4, 7), leaving b (2, 5, 8), another service (3, 6, 9). */
const mixedLog = async () => {
  const store = await openTestStore();
  for (let n = 1; n <= 9; n += 3) await commit(store, message("a", n), left("b"), numbered(n + 2, "/other"));
  return store;
};

test("an event is served as a CloudEvent with the time of its commit, integers above 2^53 exact", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  const { appended } = await commit(store, message("a", 1, { id: 48066188026052611n }));
  const { events } = await store.readEvents({ after: 0, limit: 10 });
  expect(events).toEqual(appended);
  expect(events[0]).toMatchObject({ sequence: 1, type: "nexusd.messaging.message.received" });
  expect(events[0]?.json).toContain('"json":{"id":48066188026052611}');
  expect(JSON.parse(events[0]?.json ?? "")).toMatchObject({
    specversion: "1.0",
    id: expect.stringMatching(/^[0-9A-Z]{26}$/),
    source: "/messaging/sessions/a",
    subject: "m1",
    time: START,
    sequence: "1",
  });
});

test("ids grow with the log, even if the clock goes back", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  await commit(store, numbered(1), numbered(2));
  clock.set("2026-02-28T23:00:00Z");
  await commit(store, numbered(3));
  const { events } = await store.readEvents({ after: 0, limit: 10 });
  const ids = events.map(({ json }) => JSON.parse(json).id);
  expect(ids).toEqual([...new Set(ids)].sort());
});

test("an event's own time is kept, in one form; an invalid one is replaced by the time of the commit", async () => {
  const store = await openTestStore({ clock: settableClock(START) });
  const { appended } = await commit(
    store,
    { ...numbered(1), time: "2026-02-03T04:05:06+01:00" },
    { ...numbered(2), time: "yesterday" },
  );
  expect(appended.map(({ json }) => JSON.parse(json).time)).toEqual(["2026-02-03T03:05:06.000Z", START]);
});

test.each([
  { query: {}, expected: [1, 2, 3, 4, 5, 6, 7, 8, 9] },
  { query: { types: ["*"] }, expected: [1, 2, 3, 4, 5, 6, 7, 8, 9] },
  { query: { types: ["messaging.*"] }, expected: [1, 2, 4, 5, 7, 8] },
  { query: { types: ["nexusd.service.recovered"] }, expected: [3, 6, 9] },
  { query: { types: ["service.*", "messaging.message.received"] }, expected: [1, 3, 4, 6, 7, 9] },
  { query: { types: ["nex.*"] }, expected: [] },
  { query: { source: "/messaging/sessions/b" }, expected: [2, 5, 8] },
  { query: { source: "/messaging/sessions/b", types: ["service.*"] }, expected: [] },
  { query: { source: "/nowhere" }, expected: [] },
])(
  "$query reads its events, oldest first, without renumbering, by pages of any size",
  async ({ query, expected }) => {
    const store = await mixedLog();
    for (let after = 0; after <= 9; after++)
      for (const limit of [1, 2, 3, 100]) {
        const page = await store.readEvents({ ...query, after, limit });
        const wanted = expected.filter((sequence) => sequence > after);
        expect(sequences(page)).toEqual(wanted.slice(0, limit));
        expect(page.next).toBe(wanted.length >= limit ? wanted[limit - 1] : 9);
        expect(page).toMatchObject({ oldest: 1, latest: 9, gap: null });
      }
  },
);

test("an empty log, a limit of 0 and a position beyond the log give correct pages", async () => {
  const store = await openTestStore();
  const none = { events: [], gap: null };
  expect(await store.readEvents({ after: 0, limit: 10 })).toEqual({ ...none, next: 0, oldest: 1, latest: 0 });
  await commit(store, numbered(1), numbered(2));
  expect(await store.readEvents({ after: 1, limit: 0 })).toEqual({ ...none, next: 1, oldest: 1, latest: 2 });
  expect(await store.readEvents({ after: 7, limit: 5 })).toEqual({ ...none, next: 2, oldest: 1, latest: 2 });
});

test("types that were seen before a restart are known after it", async () => {
  const dataDir = temporaryDirectory();
  const first = await openTestStore({ dataDir });
  await commit(first, numbered(1), message("a", 2), numbered(3));
  await first.close();
  const store = await openTestStore({ dataDir });
  expect(sequences(await store.readEvents({ after: 0, limit: 9, types: ["messaging.*"] }))).toEqual([2]);
});

test("reading a rare type costs the same however long the log is", async () => {
  const store = await openTestStore();
  await commit(store, message("a", 1));
  const read = async () => {
    const start = performance.now();
    for (let n = 0; n < 50; n++)
      await store.readEvents({
        after: 0,
        limit: 100,
        types: ["messaging.*"],
        source: "/messaging/sessions/a",
      });
    return performance.now() - start;
  };
  await read();
  const short = await read();
  await commit(store, ...Array.from({ length: 30_000 }, (_, n) => numbered(n)));
  const long = Math.min(await read(), await read(), await read());
  // A scan of the log would take a thousand times as long.
  expect(long).toBeLessThan(short * 10 + 5);
});

test("a repetition is left out, and its additional keys are recorded", async () => {
  const store = await openTestStore();
  const event = (n: number, match: string[], record: string[], scope = "s"): NewEvent => ({
    ...numbered(n),
    dedupe: { scope, match, record },
  });
  const first = await commit(store, event(1, ["a"], ["a", "b"]), event(2, ["a"], ["a"]), event(3, ["c"], []));
  expect([numbersOf({ events: first.appended }), first.duplicates]).toEqual([[1, 3], 1]);
  const second = await commit(
    store,
    event(4, ["b", "x"], ["y"]), // known by b; y is recorded though the event is left out
    event(5, ["y"], []),
    event(6, ["x"], []), // x was only matched
    event(7, ["a"], [], "another scope"),
    event(8, ["c"], []), // c was only matched
  );
  expect(numbersOf({ events: second.appended })).toEqual([6, 7, 8]);
});

test("recorded keys survive a restart, and are not recorded if their commit failed", async () => {
  const dataDir = temporaryDirectory();
  const first = await openTestStore({ dataDir });
  const refused = { source: "s", events: [message("a", 2)], secrets: [JSON.parse('{"value": "nameless"}')] };
  await commit(first, message("a", 1));
  await expect(first.commitObservation(refused)).rejects.toThrow();
  await first.close();
  const store = await openTestStore({ dataDir });
  const { appended, duplicates } = await commit(store, message("a", 1), message("a", 2));
  expect([appended.length, duplicates]).toEqual([1, 1]);
});

test("retention removes the oldest by number or by time of commit, and readers of the rest see the gap", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  await commit(store, numbered(1), numbered(2));
  clock.set("2026-03-02T00:00:00Z");
  // An old insight that arrived late is no old event.
  await commit(store, { ...numbered(3), time: "2020-01-01T00:00:00Z" }, numbered(4));
  clock.set("2026-03-03T00:00:00Z");
  await commit(store, numbered(5), numbered(6));

  expect(await store.pruneEvents({ before: START })).toEqual({ removed: 0 });
  expect(await store.pruneEvents({ before: "2026-03-01T12:00:00Z" })).toEqual({ removed: 2 });
  expect(await store.readEvents({ after: 0, limit: 10 })).toMatchObject({
    oldest: 3,
    latest: 6,
    gap: { from: 1, to: 2 },
  });
  expect((await store.readEvents({ after: 1, limit: 10 })).gap).toEqual({ from: 2, to: 2 });
  expect((await store.readEvents({ after: 2, limit: 10 })).gap).toBeNull();
  expect(await store.pruneEvents({ before: "2026-03-02T12:00:00Z", keep: 3 })).toEqual({ removed: 2 });
  expect(await store.pruneEvents({ keep: 10 })).toEqual({ removed: 0 });
  expect(await store.pruneEvents({ keep: 1 })).toEqual({ removed: 1 });
  expect(sequences(await store.readEvents({ after: 0, limit: 10, types: ["*"] }))).toEqual([6]);
});

test("an event stamped in the future does not hold up retention, and a young event is not removed as old", async () => {
  const clock = settableClock("2036-01-01T00:00:00Z");
  const dataDir = temporaryDirectory();
  const ahead = await openTestStore({ clock, dataDir });
  await commit(ahead, numbered(1));
  await ahead.close();
  clock.set("2026-01-01T00:00:00Z");
  const store = await openTestStore({ clock, dataDir });
  // Of what comes after it nothing is old yet: so it is not, either.
  expect(await store.pruneEvents({ before: "2025-12-01T00:00:00Z" })).toEqual({ removed: 0 });
  await commit(store, numbered(2));
  expect(await store.pruneEvents({ before: "2025-12-01T00:00:00Z" })).toEqual({ removed: 0 });
  clock.set("2026-03-01T00:00:00Z");
  await commit(store, numbered(3));
  expect(await store.pruneEvents({ before: "2026-02-01T00:00:00Z" })).toEqual({ removed: 2 });
});

test("a sequence is never used twice, even if every event was removed and the store restarted", async () => {
  const dataDir = temporaryDirectory();
  const first = await openTestStore({ dataDir });
  await commit(first, ...Array.from({ length: 2500 }, (_, n) => numbered(n)));
  expect(await first.pruneEvents({ keep: 0 })).toEqual({ removed: 2500 });
  const empty = { events: [], next: 2500, oldest: 2501, latest: 2500, gap: { from: 1, to: 2500 } };
  expect(await first.readEvents({ after: 0, limit: 10 })).toEqual(empty);
  await first.close();
  const store = await openTestStore({ dataDir });
  expect(await store.readEvents({ after: 0, limit: 10 })).toEqual(empty);
  expect((await commit(store, numbered(1))).appended[0]?.sequence).toBe(2501);
});

testSqlite(
  "a key is remembered for as long as the service repeats it, and forgotten 90 days later",
  async () => {
    const clock = settableClock("2026-01-01T00:00:00Z");
    const dataDir = temporaryDirectory();
    const store = await openTestStore({ dataDir, clock });
    const db = new Database(join(dataDir, "nexusd.db"), { readonly: true });
    onTestFinished(() => {
      db.close();
    });
    const keys = () => db.prepare("SELECT count(*) FROM dedupe").pluck().get();
    await commit(store, ...Array.from({ length: 100 }, (_, n) => message("a", n)));
    clock.set("2026-03-01T00:00:00Z");
    expect((await commit(store, message("a", 1))).duplicates).toBe(1);
    await store.pruneEvents({ keep: 0 });
    expect(keys()).toBe(100);

    clock.set("2026-05-01T00:00:00Z");
    await store.pruneEvents({ keep: 0 });
    expect(keys()).toBe(1);
    expect((await commit(store, message("a", 1))).duplicates).toBe(1);

    clock.set("2027-01-01T00:00:00Z");
    await store.pruneEvents({ keep: 0 });
    expect(keys()).toBe(0);
  },
);

test("a key is not forgotten while an event of its time is in the log", async () => {
  const clock = settableClock("2026-01-01T00:00:00Z");
  const store = await openTestStore({ clock });
  await commit(store, message("a", 1));
  clock.set("2027-01-01T00:00:00Z");
  await store.pruneEvents({ keep: 10 });
  expect((await commit(store, message("a", 1))).duplicates).toBe(1);
});

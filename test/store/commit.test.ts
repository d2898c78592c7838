import { readFileSync, renameSync, truncateSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { Observation } from "../../src/contract/store.ts";
import { systemClock } from "../../src/core/clock.ts";
import { createWriter } from "../../src/store/sqlite/commit.ts";
import { toStoreError } from "../../src/store/sqlite/errors.ts";
import { openDatabase } from "../../src/store/sqlite/open.ts";
import { testSqlite } from "../support/adapters.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import {
  fillDisk,
  numbered,
  numbersOf,
  openTestStore,
  settableClock,
  smallDisk,
  temporaryDirectory,
} from "../support/store.ts";

const everything = { after: 0, limit: 10_000 };

const whole: Observation = {
  source: "nexus-low-stock",
  cursor: { completedAt: "2026-03-01T00:00:00.000Z" },
  events: [numbered(1), numbered(2)],
  put: [{ kind: "nexus.stock.low", key: "new", value: { sku: "A" } }],
  remove: [{ kind: "nexus.stock.low", key: "old" }],
  secrets: [{ name: "nexus.token", value: "t" }],
};
// Its last part, a secret without a name, fails when everything before it was done.
const broken: Observation = { ...whole, secrets: [JSON.parse('{"value": "t"}')] };

test("an observation is committed with all its parts or none", async () => {
  const store = await openTestStore();
  await store.commitObservation({ source: "x", put: [{ kind: "nexus.stock.low", key: "old", value: 1 }] });

  await expect(store.commitObservation(broken)).rejects.toThrow(/NOT NULL|undefined/);
  expect((await store.readEvents(everything)).latest).toBe(0);
  expect(await store.readCursor("nexus-low-stock")).toBeUndefined();
  expect((await store.readRecords("nexus.stock.low")).map(({ key }) => key)).toEqual(["old"]);

  const { appended, duplicates, latest } = await store.commitObservation(whole);
  expect([appended.map(({ sequence }) => sequence), duplicates, latest]).toEqual([[1, 2], 0, 2]);
  expect((await store.readCursor("nexus-low-stock"))?.value).toEqual(whole.cursor);
  expect((await store.readRecords("nexus.stock.low")).map(({ key }) => key)).toEqual(["new"]);
  expect(await store.readSecret("nexus.token")).toBe("t");
});

test("what is stored is what was passed, even if the caller changes it before the commit", async () => {
  const store = await openTestStore();
  const cursor = { after: "1" };
  const pending = store.commitObservation({ source: "s", cursor });
  cursor.after = "2";
  await pending;
  expect((await store.readCursor("s"))?.value).toEqual({ after: "1" });
});

test("data that is not JSON fails alone, at once", async () => {
  const store = await openTestStore();
  const circular: unknown[] = [];
  circular.push(circular);
  const bad = store.commitObservation({ source: "s", cursor: circular });
  const good = store.commitObservation({ source: "s", events: [numbered(1)] });
  await expect(bad).rejects.toThrow(TypeError);
  expect((await good).latest).toBe(1);
});

test("one bad observation of a group fails alone; the others keep their order, without a gap", async () => {
  const store = await openTestStore();
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      store.commitObservation(
        n % 7 === 3 ? { ...broken, source: `s${n}` } : { source: `s${n}`, cursor: n, events: [numbered(n)] },
      ),
    ),
  );
  const failed = results.flatMap((result, n) => (result.status === "rejected" ? [n] : []));
  expect(failed).toEqual([3, 10, 17]);
  const page = await store.readEvents(everything);
  expect(page.events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 17 }, (_, n) => n + 1));
  expect(numbersOf(page)).toEqual(Array.from({ length: 20 }, (_, n) => n).filter((n) => !failed.includes(n)));
  expect(await store.readCursor("s3")).toBeUndefined();
});

testSqlite("observations of one turn share a transaction; those of the next turn get another", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const commits = countCommits(dataDir);
  await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      store.commitObservation({ source: `s${n}`, cursor: n, events: [numbered(n)] }),
    ),
  );
  expect(commits()).toBe(1);
  for (let n = 0; n < 5; n++) await store.commitObservation({ source: "s", cursor: n });
  expect(commits()).toBe(5);
});

testSqlite("once a promise has resolved, its data is on disk", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const reader = new Database(join(dataDir, "nexusd.db"), { readonly: true });
  onTestFinished(() => {
    reader.close();
  });
  const count = reader.prepare<[], number>("SELECT count(*) FROM events").pluck();
  const seen = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      store.commitObservation({ source: "s", events: [numbered(n)] }).then(() => count.get()),
    ),
  );
  expect(seen).toEqual(Array.from({ length: 10 }, () => 10));
});

testSqlite("an observation that changes nothing causes no write", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const same: Observation = {
    source: "messaging:1",
    cursor: { cursor: "57", generation: 1 },
    put: [{ kind: "k", key: "a", value: { n: 48066188026052611n } }],
    remove: [{ kind: "k", key: "never there" }],
    secrets: [{ name: "s", value: "v" }],
    events: [{ ...numbered(1), dedupe: { scope: "x", match: ["id"], record: ["id", "other"] } }],
  };
  await store.commitObservation(same);
  const commits = countCommits(dataDir);
  for (let n = 0; n < 10; n++) {
    const { appended, duplicates, latest } = await store.commitObservation(same);
    expect([appended, duplicates, latest]).toEqual([[], 1, 1]);
    await store.commitObservation({ source: "messaging:1" });
  }
  expect(commits()).toBe(0);
  await store.commitObservation({ ...same, cursor: { cursor: "58", generation: 1 } });
  expect(commits()).toBe(1);
});

/** How many commits wrote something since the last call: a commit ends with a WAL frame that names the new size. */
const countCommits = (dataDir: string): (() => number) => {
  const HEADER = 32;
  const FRAME = 24 + 4096;
  const count = () => {
    const wal = readFileSync(join(dataDir, "nexusd.db-wal"));
    let commits = 0;
    for (let frame = HEADER; frame < wal.length; frame += FRAME)
      if (wal.readUInt32BE(frame + 4) > 0) commits++;
    return commits;
  };
  let counted = count();
  return () => {
    const before = counted;
    counted = count();
    return counted - before;
  };
};

test("each listener is called once per commit with the newest sequence, when it is readable; one that throws stops no other", async () => {
  const store = await openTestStore();
  const heard: number[] = [];
  const warned = new Promise((resolve) => process.once("warning", resolve));
  store.onAppend(() => {
    throw new Error("a bad listener");
  });
  const stop = store.onAppend((latest) => heard.push(latest));
  const observations = Array.from({ length: 3 }, (_, n) => ({
    source: "s",
    cursor: n,
    events: [numbered(n)],
  }));
  await Promise.all(observations.map((observation) => store.commitObservation(observation)));
  await store.commitObservation({ source: "s", cursor: "no event" });
  await store.commitObservation({ source: "s", events: [numbered(4)] });
  expect(heard).toEqual([3, 4]);
  stop();
  await store.commitObservation({ source: "s", events: [numbered(5)] });
  expect(heard).toEqual([3, 4]);
  expect(await warned).toMatchObject({ message: "a bad listener" });
});

testSqlite("a full disk refuses commits, keeps the store readable, and loses nothing", async ({ skip }) => {
  const disk = smallDisk(skip, "3m");
  const dataDir = join(disk.directory, "data");
  const store = await openTestStore({ dataDir });
  const filler = join(disk.directory, "filler");
  const big = "x".repeat(20_000);
  const observation = (n: number): Observation => ({
    source: "s",
    cursor: n,
    events: [numbered(n)],
    put: [{ kind: "k", key: "a", value: `${n}${big}` }],
  });
  let n = 0;
  for (let round = 0; round < 3; round++) {
    await store.commitObservation(observation(++n));
    fillDisk(filler);
    // The WAL may have room of its own left from before its last checkpoint.
    const refused = await commitUntilRefused();
    expect(refused).toMatchObject({ name: "StoreError", code: "full" });
    await expect(store.commitObservation(observation(n + 1))).rejects.toMatchObject({ code: "full" });
    expect((await store.readCursor("s"))?.value).toBe(n);
    expect(numbersOf(await store.readEvents(everything))).toHaveLength(n);

    truncateSync(filler, 0);
    await store.probe();
    await store.commitObservation(observation(++n));
  }
  const page = await store.readEvents(everything);
  expect(page.latest).toBe(n);
  expect(numbersOf(page)).toEqual(Array.from({ length: n }, (_, index) => index + 1));

  async function commitUntilRefused(): Promise<unknown> {
    for (let tries = 0; tries < 500; tries++) {
      try {
        await store.commitObservation(observation(n + 1));
        n++;
      } catch (error) {
        return error;
      }
    }
    return undefined;
  }
});

testSqlite("of a group that does not fit on the disk, what fits alone is committed", async () => {
  const place = temporaryDirectory();
  const { db, close } = await openDatabase(place);
  onTestFinished(close);
  const writer = createWriter(db, {
    clock: systemClock,
    beforeCommit: () => {},
    afterCommit: () => {},
    toError: (error) => toStoreError(error, place),
  });
  // A quota on the file, so that this holds where no small disk can be mounted.
  db.pragma(`max_page_count = ${Number(db.pragma("page_count", { simple: true })) + 4}`);
  const put = db.prepare<[string, string]>("INSERT INTO secrets (name, value) VALUES (?, ?)");
  const write = (name: string, bytes: number) => writer.write(() => put.run(name, "x".repeat(bytes)));
  const outcomes = await Promise.allSettled([write("a", 10), write("b", 100_000), write("c", 10)]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(outcomes[1]).toMatchObject({ reason: { code: "full" } });
  expect(db.prepare("SELECT name FROM secrets ORDER BY name").pluck().all()).toEqual(["a", "c"]);

  db.pragma("max_page_count = 100000");
  await write("b", 100_000);
});

testSqlite("a database file that was moved away is noticed at the next commit", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const path = join(dataDir, "nexusd.db");
  renameSync(path, `${path}.away`);
  await expect(store.commitObservation({ source: "s", events: [numbered(1)] })).rejects.toMatchObject({
    code: "unusable",
  });
  await expect(store.probe()).rejects.toMatchObject({ code: "unusable" });
  renameSync(`${path}.away`, path);
  expect((await store.commitObservation({ source: "s", events: [numbered(1)] })).latest).toBe(1);
});

testSqlite(
  "units that can wait share the next commit with others like them and with units that cannot",
  async () => {
    const dataDir = temporaryDirectory();
    const clock = createFakeClock();
    const store = await openTestStore({ dataDir, clock });
    const commits = countCommits(dataDir);
    const waiting = (n: number) =>
      store.commitObservation({ source: "s", events: [numbered(n)], canWait: true });
    // No commit was just before it.
    await clock.advance(5);
    await waiting(1);
    expect(commits()).toBe(1);
    const some = [waiting(2), waiting(3)];
    await clock.advance(4);
    expect(commits()).toBe(0);
    some.push(waiting(4));
    await clock.advance(1);
    await Promise.all(some);
    expect(commits()).toBe(1);
    const more = waiting(5);
    await store.commitObservation({ source: "s", events: [numbered(6)] });
    await more;
    expect(commits()).toBe(1);
    const last = waiting(7);
    await store.close();
    await last;
    expect(clock.pending()).toBe(0);
  },
);

testSqlite("a probe is a real commit", async () => {
  const dataDir = temporaryDirectory();
  const clock = settableClock("2026-03-01T00:00:00Z");
  const store = await openTestStore({ dataDir, clock });
  const commits = countCommits(dataDir);
  await store.probe();
  await store.probe();
  expect(commits()).toBe(2);
});

// What happens to commits when PostgreSQL, or the way to it, goes away in the middle.

import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { NewEvent } from "../../../src/contract/new-event.ts";
import { type Store, StoreError } from "../../../src/contract/store.ts";
import { postgresUrl } from "../../support/open-store.ts";
import { startPostgres } from "../../support/postgres.ts";
import { fillDisk, numbered, numbersOf, smallDisk, temporaryDirectory } from "../../support/store.ts";
import { connectTo, newSchema, openPostgres } from "./harness.ts";
import { startProxy } from "./proxy.ts";

// A server of its own is started anew several times.
const WITHIN_MS = 240_000;

const everything = { after: 0, limit: 10_000 };

/** Commits an event, again for as long as the store says that nothing was committed. */
async function insist(store: Store, n: number): Promise<number> {
  for (;;)
    try {
      const { appended } = await store.commitObservation({ source: "s", cursor: n, events: [numbered(n)] });
      return appended[0]?.sequence ?? 0;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "io") throw error;
      await sleep(100);
    }
}

test("a commit whose answer was lost is found to have come through, and is not made twice", async () => {
  const proxy = await startProxy(postgresUrl());
  const store = await openPostgres({ url: proxy.url });
  await store.commitObservation({ source: "s", events: [numbered(1)] });
  proxy.cutAt("COMMIT", "after");
  const { appended, latest } = await store.commitObservation({ source: "s", events: [numbered(2)] });
  expect([appended.map(({ sequence }) => sequence), latest]).toEqual([[2], 2]);
  expect(proxy.cuts()).toBe(1);
  await store.commitObservation({ source: "s", events: [numbered(3)] });
  expect(numbersOf(await store.readEvents(everything))).toEqual([1, 2, 3]);
});

test("a commit that never arrived is made once more, once", async () => {
  const proxy = await startProxy(postgresUrl());
  const store = await openPostgres({ url: proxy.url });
  for (const text of ["INSERT INTO events", "COMMIT", "BEGIN"]) {
    const before = await store.readEvents(everything);
    proxy.cutAt(text, "before");
    await store.commitObservation({ source: "s", events: [numbered(before.latest + 1)] });
    expect(await store.readEvents(everything), text).toMatchObject({ latest: before.latest + 1 });
  }
  expect(proxy.cuts()).toBe(3);
  expect(numbersOf(await store.readEvents(everything))).toEqual([1, 2, 3]);
});

test("a session that the server ends is replaced, for commits and for readers", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema, node: "ended" });
  await store.commitObservation({ source: "s", events: [numbered(1)] });
  const superuser = await connectTo(schema);
  await superuser.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nexusd ended'",
  );
  expect((await store.readEvents(everything)).latest).toBe(1);
  expect((await store.commitObservation({ source: "s", events: [numbered(2)] })).latest).toBe(2);
});

test(
  "a server that is killed and comes back loses nothing acknowledged, repeats nothing, and leaves no hole",
  async () => {
    const server = await startPostgres();
    onTestFinished(server.stop);
    const store = await openPostgres({ url: server.url });
    const told = new Map<number, number>();
    let n = 0;
    const work = async (until: () => boolean) => {
      while (!until()) {
        const own = ++n;
        told.set(own, await insist(store, own));
      }
    };
    let isOver = false;
    const workers = Array.from({ length: 8 }, () => work(() => isOver));
    for (let round = 0; round < 3; round++) {
      const before = told.size;
      await expect.poll(() => told.size).toBeGreaterThan(before + 20);
      await server.kill();
      // Meanwhile the store answers: that it cannot, and in one line.
      await expect(store.probe()).rejects.toThrow(/^postgres:[^\n]*cannot be reached[^\n]*$/);
      await server.start();
    }
    isOver = true;
    await Promise.all(workers);
    const page = await store.readEvents(everything);
    expect(page.events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: n }, (_, at) => at + 1));
    expect(new Set(numbersOf(page)).size).toBe(n);
    const numbers = numbersOf(page);
    for (const [own, sequence] of told) expect(numbers[sequence - 1]).toBe(own);
  },
  WITHIN_MS,
);

test(
  "a database that went back in time is noticed, at the start and while it is open, and has a new epoch",
  async () => {
    const server = await startPostgres();
    onTestFinished(server.stop);
    const [schema, dataDir] = [newSchema(), temporaryDirectory()];
    const notices: string[] = [];
    const open = () =>
      openPostgres({ url: server.url, schema, dataDir, onNotice: (text) => notices.push(text) });
    const first = await open();
    await first.commitObservation({ source: "s", events: [numbered(1)] });
    await first.close();
    await server.kill();
    server.save();
    await server.start();
    const second = await open();
    expect(second.epoch).toBe(first.epoch);
    await second.commitObservation({ source: "s", events: [numbered(2)] });

    await server.kill();
    server.restore();
    await server.start();
    await expect(second.commitObservation({ source: "s", events: [numbered(3)] })).rejects.toMatchObject({
      code: "unusable",
      message: expect.stringContaining("went back in time: its log ended at 2, and ends at 1 now"),
    });
    await second.close();
    const third = await open();
    expect(third.epoch).not.toBe(first.epoch);
    await third.commitObservation({ source: "s", events: [numbered(3)] });
    await third.close();

    // As it was, but for what this node had seen last.
    const superuser = await connectTo(schema, server.url);
    await superuser.query("DELETE FROM events WHERE sequence = 2");
    await superuser.query("UPDATE head SET latest = 1");
    const fourth = await open();
    expect(fourth.epoch).not.toBe(third.epoch);
    expect(notices).toEqual([expect.stringContaining("its log ended at 2, and ends at 1 now")]);
  },
  WITHIN_MS,
);

test("no room on the disk of the database is told as that, and commits go on when there is some", async ({
  skip,
}) => {
  const disk = smallDisk(skip, "2m");
  chmodSync(disk.directory, 0o755);
  const place = `${disk.directory}/space`;
  mkdirSync(place);
  chownSync(place, 65_534, 65_534);
  const schema = newSchema();
  const store = await openPostgres({ schema });
  const superuser = await connectTo(schema);
  await superuser.query(`CREATE TABLESPACE ${schema} LOCATION '${place}'`);
  await superuser.query(`ALTER TABLE events SET TABLESPACE ${schema}`);
  await store.commitObservation({ source: "s", events: [numbered(1)] });
  fillDisk(`${disk.directory}/filler`);
  const big: NewEvent = {
    type: "service.recovered",
    source: "/test",
    data: { service: "nex", state: "x".repeat(8000) },
  };
  const refused = await (async () => {
    for (;;)
      try {
        await store.commitObservation({ source: "s", events: [big, big, big, big] });
      } catch (error) {
        return error;
      }
  })();
  expect(refused).toMatchObject({
    name: "StoreError",
    code: "full",
    message: expect.stringMatching(/no room left/),
  });
  const before = (await store.readEvents({ after: 0, limit: 1 })).latest;
  rmSync(`${disk.directory}/filler`);
  expect((await store.commitObservation({ source: "s", events: [big] })).latest).toBe(before + 1);
  await superuser.query(`DROP SCHEMA ${schema} CASCADE`);
  await superuser.query(`DROP TABLESPACE ${schema}`);
});

// The feeds of Nexus over the real PostgREST: whatever time a row carries and whenever it arrives, it is logged once.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NexusServer } from "../../sandbox/nexus.ts";
import { systemClock } from "../../src/core/clock.ts";
import { fieldsOf } from "../../src/services/input.ts";
import type { NexusClient } from "../../src/services/nexus/client.ts";
import { conversationWatch } from "../../src/services/nexus/conversations.ts";
import type { FeedPosition } from "../../src/services/nexus/feed-rows.ts";
import { shipmentWatch } from "../../src/services/nexus/shipments.ts";
import fc from "../support/fc.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";
import { connect, passesOf, startShop } from "./nexus-harness.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The server's, so that a few rows already fill several pages. */
const MAX_ROWS = 5;

let nexus: NexusServer;
// One for all, because Nexus exchanges its key at most ten times a minute.
let client: NexusClient;
let chatId: unknown;
let awbId: unknown;
beforeAll(async () => {
  nexus = await startShop({ dbMaxRows: MAX_ROWS });
  await nexus.ready;
  client = connect(nexus.url);
  const some = async (table: string) =>
    (await nexus.sql(`select id from ${table} where organization_id = $1 limit 1`, [nexus.organizationId]))[0]
      ?.id;
  chatId = await some("chats");
  awbId = await some("awbs");
  await nexus.sql("update chats set unread_count = 0");
  await nexus.sql("update awbs set status = 'delivered'");
});
afterAll(() => nexus.close());

const at = (ms: number) => new Date(ms).toISOString();

interface FeedUnderTest {
  table: string;
  /** Deletes all rows. */
  clear(): Promise<unknown>;
  /** The rows arrive together, each with a name and its time. */
  arrive(rows: readonly { id: string; time: string | null }[]): Promise<unknown>;
  /** The daemon, from the first pass or from where an earlier one was killed. */
  follow(options?: { dataDir?: string; before?: () => void }): Promise<{
    /** One pass. @returns the ids of the logged rows */
    pass(): Promise<unknown[]>;
    /** As earlier versions stored it. */
    setPosition(feed: FeedPosition): Promise<unknown>;
    /** How far it was read, by its rows' time. */
    time(): Promise<string>;
    close(): Promise<void>;
  }>;
}

const MESSAGES: FeedUnderTest = {
  table: "messages",
  clear: () => nexus.sql("truncate messages"),
  arrive: (rows) =>
    nexus.sql(
      `insert into messages (id, organization_id, chat_id, content, direction, "timestamp")
       select id::uuid, $1, $2, 'hello', 'inbound', time::timestamptz
       from json_to_recordset($3::json) as r (id text, time text)`,
      [nexus.organizationId, chatId, JSON.stringify(rows)],
    ),
  follow: (options) => follow(conversationWatch, "messageId", options),
};
const HISTORY: FeedUnderTest = {
  table: "awb_status_logs",
  clear: () => nexus.sql("truncate awb_status_logs"),
  arrive: (rows) =>
    nexus.sql(
      `insert into awb_status_logs (id, awb_id, status, "timestamp")
       select id::uuid, $1, 'in_transit', time::timestamptz from json_to_recordset($2::json) as r (id text, time text)`,
      [awbId, JSON.stringify(rows)],
    ),
  follow: (options) => follow(shipmentWatch, "logId", options),
};

async function follow(
  watch: typeof conversationWatch | typeof shipmentWatch,
  idName: string,
  { dataDir = temporaryDirectory(), before = () => {} }: { dataDir?: string; before?: () => void } = {},
): ReturnType<FeedUnderTest["follow"]> {
  const store = await openTestStore({ dataDir });
  const settings = { columns: {}, statuses: ["in_transit"] };
  const passes =
    watch.job === "nexus-shipments"
      ? await passesOf(client, shipmentWatch, settings, before, store)
      : await passesOf(client, conversationWatch, settings, before, store);
  return {
    pass: async () => (await passes.pass()).map(({ data }) => data[idName]),
    setPosition: (feed) => store.commitObservation({ source: watch.job, cursor: { feed } }),
    time: async () => {
      const { feed } = fieldsOf((await store.readCursor(watch.job))?.value);
      return String(fieldsOf(feed).time);
    },
    close: () => store.close(),
  };
}

const row = (ms: number, id: string = randomUUID()) => ({ id, time: at(ms) });

describe.each([
  ["messages of conversations", MESSAGES],
  ["the history of shipments", HISTORY],
] as const)("%s", (_, feed) => {
  it("a row two hours ahead is logged, and so are rows that arrive before its time", async () => {
    await feed.clear();
    await feed.arrive([row(Date.now() - HOUR)]);
    const job = await feed.follow();
    expect(await job.pass()).toEqual([]);
    for (const ms of [2 * HOUR, 30 * MINUTE]) {
      const future = row(Date.now() + ms);
      await feed.arrive([future]);
      expect(await job.pass()).toEqual([future.id]);
    }
    for (let n = 0; n < 2; n++) {
      const now = row(Date.now());
      await feed.arrive([now]);
      expect(await job.pass()).toEqual([now.id]);
      expect(Date.parse(await job.time())).toBeLessThanOrEqual(Date.now());
    }
  });

  it("a row of 2099 silences nothing, even over a restart", async () => {
    await feed.clear();
    const dataDir = temporaryDirectory();
    const first = await feed.follow({ dataDir });
    await first.pass();
    const rows = [row(Date.parse("2099-01-01")), row(Date.now()), row(Date.now())];
    for (const one of rows.slice(0, 2)) {
      await feed.arrive([one]);
      expect(await first.pass()).toEqual([one.id]);
    }
    await first.close();
    const second = await feed.follow({ dataDir });
    expect(await second.pass()).toEqual([]);
    await feed.arrive(rows.slice(2));
    expect(await second.pass()).toEqual([rows[2]?.id]);
  });

  it("a row from the future at the first pass silences nothing, and counts as history", async () => {
    await feed.clear();
    await feed.arrive([row(Date.parse("2099-01-01")), row(Date.now() - HOUR)]);
    const job = await feed.follow();
    await job.pass();
    const now = row(Date.now());
    await feed.arrive([now]);
    expect(await job.pass()).toEqual([now.id]);
    expect(await job.pass()).toEqual([]);
  });

  it("a row ten minutes late is logged, and so is one almost a day late", async () => {
    await feed.clear();
    await feed.arrive([row(Date.now() - MINUTE)]);
    const job = await feed.follow();
    await job.pass();
    for (const late of [0, 10 * MINUTE, 23 * HOUR]) {
      const one = row(Date.now() - late);
      await feed.arrive([one]);
      expect(await job.pass()).toEqual([one.id]);
    }
  });

  it("a row with the same time as the newest one of the first pass is logged, and that one is not", async () => {
    await feed.clear();
    const newest = Date.now() - 3 * HOUR;
    await feed.arrive([row(newest)]);
    const job = await feed.follow();
    expect(await job.pass()).toEqual([]);
    const same = row(newest);
    await feed.arrive([same]);
    expect(await job.pass()).toEqual([same.id]);
    expect(await job.pass()).toEqual([]);
  });

  it("a row without a time is logged, however many existed before it, and those are not", async () => {
    const { table } = feed;
    await nexus.sql(`alter table ${table} alter column "timestamp" drop not null`);
    try {
      await feed.clear();
      const without = (id: string = randomUUID()) => ({ id, time: null });
      await feed.arrive([...Array.from({ length: 2 * MAX_ROWS + 1 }, () => without()), row(Date.now())]);
      const job = await feed.follow();
      const told: unknown[] = [];
      for (let pass = 0; pass < 4; pass++) told.push(...(await job.pass()));
      expect(told).toEqual([]);
      const arrived = [without(), row(Date.now()), without(), row(Date.now() - HOUR)];
      await feed.arrive(arrived);
      for (let pass = 0; pass < 4; pass++) told.push(...(await job.pass()));
      expect(told.sort()).toEqual(arrived.map(({ id }) => id).sort());
    } finally {
      await feed.clear();
      await nexus.sql(`alter table ${table} alter column "timestamp" set not null`);
    }
  });

  it.each(["2099-01-01T00:00:00+00:00", "infinity"])(
    "a position that an earlier version moved to a future row's time, %s, no longer hides rows",
    async (time) => {
      await feed.clear();
      const missed = [row(Date.now() - 2 * HOUR), row(Date.now() - 3 * 24 * HOUR)];
      await feed.arrive([...missed, row(Date.now() - 40 * 24 * HOUR)]);
      const job = await feed.follow();
      await job.setPosition({ since: at(Date.now() - 20 * 24 * HOUR), time });
      const told: unknown[] = [];
      for (let pass = 0; pass < 3; pass++) told.push(...(await job.pass()));
      expect(told.sort()).toEqual(missed.map(({ id }) => id).sort());
      const now = row(Date.now());
      await feed.arrive([now]);
      expect(await job.pass()).toEqual([now.id]);
    },
  );
});

it("a position of an earlier version continues where it was", async () => {
  await MESSAGES.clear();
  const [before, after] = [row(Date.now() - 2 * HOUR), row(Date.now())];
  await MESSAGES.arrive([before]);
  const job = await MESSAGES.follow();
  await job.setPosition({ since: before.time, time: before.time });
  await MESSAGES.arrive([after]);
  expect(await job.pass()).toEqual([after.id]);
});

it("a busy day costs two requests a pass, and a late row in it is logged within a round", async () => {
  await MESSAGES.clear();
  const job = { requests: 0 };
  const busy = Array.from({ length: 60 }, (_, n) => row(Date.now() - 23 * HOUR + n * 20 * MINUTE));
  const feed = await MESSAGES.follow({
    before: () => {
      job.requests += 1;
    },
  });
  await feed.pass();
  await MESSAGES.arrive(busy);
  // All are new, and arrive a page at a time.
  for (let told = 0; told < busy.length; ) told += (await feed.pass()).length;
  const ids: unknown[] = [];
  let passes = 0;
  const late = row(Date.now() - 12 * HOUR - 1);
  await MESSAGES.arrive([late]);
  while (ids.length === 0 && passes <= busy.length / MAX_ROWS + 1) {
    job.requests = 0;
    ids.push(...(await feed.pass()));
    passes += 1;
    // One request of the watch itself, which returns no row, and one that finds the newest again.
    expect(job.requests).toBeLessThanOrEqual(3);
  }
  expect(ids).toEqual([late.id]);
});

it("a burst interrupted at every request is logged completely, and each row once", async () => {
  await MESSAGES.clear();
  const dataDir = temporaryDirectory();
  let left = Number.POSITIVE_INFINITY;
  const before = () => {
    if (left-- <= 0) throw new Error("killed");
  };
  const first = await MESSAGES.follow({ dataDir, before });
  await first.pass();
  await first.close();
  // All within the overlap, so restarting from its front would never reach its end.
  const burst = Array.from({ length: 8 * MAX_ROWS }, (_, n) => row(Date.now() - MINUTE + n));
  await MESSAGES.arrive(burst);
  const told: unknown[] = [];
  for (let life = 0; life < burst.length / MAX_ROWS; life++) {
    const feed = await MESSAGES.follow({ dataDir, before });
    // The watch's own page, and one of the feed.
    left = 2;
    await expect(feed.pass()).rejects.toThrow("killed");
    left = 0;
    await feed.close();
    const next = await openTestStore({ dataDir });
    const { events } = await next.readEvents({
      after: 0,
      limit: 1000,
      types: ["nexus.conversation.message"],
    });
    told.splice(0, told.length, ...events.map(({ json }) => JSON.parse(json).data.messageId));
    await next.close();
  }
  expect(told).toEqual(burst.map(({ id }) => id));
});

it.each(["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT"])(
  "a server whose Date is %j still has each row logged once",
  async (date) => {
    await MESSAGES.clear();
    await MESSAGES.arrive([row(Date.now() - HOUR)]);
    // As the headers of every answer should have it.
    const now = Date.parse(date);
    const time = Number.isNaN(now) ? client.time : { now: () => now, isKnown: () => true };
    const feed = await passesOf({ ...client, time }, conversationWatch, { columns: {} });
    await feed.pass();
    for (const offset of [0, -10 * MINUTE, 2 * HOUR, 0]) {
      const one = row(Date.now() + offset);
      await MESSAGES.arrive([one]);
      const told = [...(await feed.pass()), ...(await feed.pass())].map(({ data }) => data.messageId);
      expect(told).toEqual([one.id]);
    }
  },
);

it("rows that arrive in any order, with failures in between, are logged once", async () => {
  const offset = fc.oneof(
    fc.constantFrom(0, 0, -1, -10 * MINUTE, 10 * MINUTE, 2 * HOUR),
    fc.integer({ min: -23 * HOUR, max: 40 * 24 * HOUR }),
  );
  const step = fc.record({
    offsets: fc.array(offset, { maxLength: 9 }),
    // The request of the pass that fails.
    fails: fc.option(fc.nat(4), { nil: undefined }),
    restart: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(offset, { maxLength: 12 }),
      fc.array(step, { minLength: 1, maxLength: 6 }),
      async (history, steps) => {
        await MESSAGES.clear();
        const begin = systemClock.now();
        await MESSAGES.arrive(history.map((ms) => row(begin + ms)));
        const dataDir = temporaryDirectory();
        let requests = Number.POSITIVE_INFINITY;
        const before = () => {
          if (requests-- === 0) throw new Error("cut");
        };
        let feed = await MESSAGES.follow({ dataDir, before });
        await feed.pass();
        const expected: string[] = [];
        for (const { offsets, fails, restart } of steps) {
          const rows = offsets.map((ms) => row(begin + ms));
          expected.push(...rows.map(({ id }) => id));
          await MESSAGES.arrive(rows);
          if (restart) {
            await feed.close();
            feed = await MESSAGES.follow({ dataDir, before });
          }
          requests = fails ?? Number.POSITIVE_INFINITY;
          await feed.pass().catch(() => []);
        }
        requests = Number.POSITIVE_INFINITY;
        for (let pass = 0; pass <= (history.length + expected.length) / MAX_ROWS + 1; pass++)
          await feed.pass();
        await feed.close();
        const store = await openTestStore({ dataDir });
        const { events } = await store.readEvents({ after: 0, limit: 1000 });
        await store.close();
        const told = events.map(({ json }) => JSON.parse(json).data.messageId);
        expect(told.sort()).toEqual(expected.sort());
      },
    ),
    { numRuns: 10 },
  );
});

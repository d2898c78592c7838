// Catch-ups that are interrupted, and the very first one, on the real log of insights without Nex.

import { expect, test } from "vitest";
import type { NewEvent } from "../../../src/contract/new-event.ts";
import { HttpError } from "../../../src/http/errors.ts";
import { catchUp } from "../../../src/services/nex/catch-up.ts";
import { openInsightLog } from "../../../src/services/nex/insight-log.ts";
import fc from "../../support/fc.ts";

const START = Date.UTC(2026, 10, 21, 8);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const LIMIT = 100;

interface Made {
  type: string;
  content: string;
  created_at: string;
}

/** Nex with a list, and the disk of successive nexusd processes. */
function scene(nowAt: number) {
  const nex: Made[] = [];
  const told = new Map<string, NewEvent>();
  let cursor: unknown;
  let requests = 0;
  const state = { now: nowAt };
  const store = {
    readCursor: async () => (cursor === undefined ? undefined : { value: cursor, updatedAt: "" }),
    commitObservation: async (observation: { cursor?: unknown; events?: readonly NewEvent[] }) => {
      // As it comes back from the disk.
      if (observation.cursor !== undefined) cursor = JSON.parse(JSON.stringify(observation.cursor));
      for (const event of observation.events ?? []) told.set(event.dedupe?.record[0] ?? "", event);
      return { appended: [] };
    },
  };
  const openLog = async () =>
    // The two functions of the store that it needs.
    (
      await openInsightLog(
        store as unknown as Parameters<typeof openInsightLog>[0],
        () => state.now,
        () => {},
        256 * 1024,
      )
    ).insights;
  const make = (count: number, at: number) => {
    for (let n = 0; n < count; n++)
      nex.push({ type: "risk", content: `${nex.length}`, created_at: new Date(at).toISOString() });
  };
  /** A life that ends with request number `limit`. @returns whether it finished before that */
  const live = async (limit: number): Promise<boolean> => {
    const insights = await openLog();
    const last = requests + limit;
    try {
      await catchUp({
        ...{ insights, now: () => state.now, monotonic: () => state.now, onProgress: () => {} },
        list: async (from, to) => {
          if (++requests > last)
            throw new HttpError({
              ...{ kind: "network", service: "nex", label: "list", code: "killed", message: "killed" },
              ...{ retryable: true, maybeSent: true },
            });
          const page = nex.filter(({ created_at }) => {
            const at = Date.parse(created_at);
            return at >= from && at <= to;
          });
          return { insights: page.slice(-LIMIT).map((one) => ({ ...one })), workspace: null };
        },
      });
      return true;
    } catch (error) {
      if (error instanceof HttpError) return false;
      throw error;
    }
  };
  const events = (type: NewEvent["type"]) => [...told.values()].filter((event) => event.type === type);
  return { nex, make, live, openLog, state, events };
}

test("a catch-up killed within its overlap continues where it was", async () => {
  const { nex, make, live, openLog, state, events } = scene(START);
  await (await openLog()).commit([], START);
  // So many in the five minutes before the covered time that one life cannot fetch them.
  for (let second = 290; second > 0; second--) make(12, START - second * SECOND);
  make(5, START + 30 * SECOND);
  state.now = START + MINUTE;
  let lives = 1;
  for (; lives < 40 && !(await live(25)); lives++) state.now += SECOND;
  expect(lives).toBeLessThan(20);
  expect(lives).toBeGreaterThan(3);
  expect(events("nex.insight.received")).toHaveLength(nex.length);
  expect(events("nex.stream.gap")).toEqual([]);
  // Nothing of it is left for the next one.
  expect((await openLog()).pass).toBeUndefined();
});

test("insights that Nex stored late while a catch-up was interrupted are still fetched", async () => {
  const { nex, make, live, openLog, state, events } = scene(START);
  await (await openLog()).commit([], START);
  for (let second = 290; second > 0; second--) make(12, START - second * SECOND);
  state.now = START + MINUTE;
  expect(await live(25)).toBe(false);
  // Made in a time that was already fetched, stored only now.
  state.now += MINUTE;
  make(1, START - 235 * SECOND);
  for (let lives = 0; lives < 40 && !(await live(25)); lives++);
  expect(events("nex.insight.received")).toHaveLength(nex.length);
});

test("wherever it is interrupted, and whatever is stored late meanwhile, nothing is missing at the end", async () => {
  const bursts = fc.uniqueArray(
    fc.record({ at: fc.integer({ min: 1, max: 400 }), count: fc.integer({ min: 1, max: 30 }) }),
    { selector: ({ at }) => at, maxLength: 14 },
  );
  const lives = fc.array(
    fc.record({
      requests: fc.integer({ min: 1, max: 40 }),
      seconds: fc.integer({ min: 0, max: 90 }),
      // This many, made this long ago, that Nex stores only then.
      late: fc.record({ count: fc.integer({ min: 0, max: 3 }), ago: fc.integer({ min: 0, max: 240 }) }),
    }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(bursts, lives, async (bursts, lives) => {
      const { nex, make, live, openLog, state, events } = scene(START);
      await (await openLog()).commit([], START);
      // At most every third second, so that none has more than the list returns for one.
      for (const { at, count } of bursts) make(count, START + 3 * at * SECOND);
      state.now = START + 1201 * SECOND;
      for (const { requests, seconds, late } of lives) {
        await live(requests);
        state.now += seconds * SECOND;
        make(late.count, state.now - late.ago * SECOND);
      }
      for (let life = 0; life < 60 && !(await live(40)); life++) state.now += SECOND;
      // An uninterrupted one includes what was stored late before it began.
      expect(await live(1000)).toBe(true);
      expect(events("nex.insight.received")).toHaveLength(nex.length);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ["had insights before", 30],
  ["had none before", 0],
])(
  "a nexusd killed before its first insight has no gap for the time before it existed (Nex %s)",
  async (_, old) => {
    const { nex, make, live, openLog, state, events } = scene(START);
    make(old, START - 30 * MINUTE);
    await openLog();
    // A window of more than one page, so that Nex may have forgotten some of it.
    for (let second = 3; second < 13; second++) make(40, START + second * SECOND);
    state.now = START + MINUTE;
    expect(await live(1000)).toBe(true);
    expect(events("nex.insight.received")).toHaveLength(nex.length - old);
    const gaps = events("nex.stream.gap").map(({ data }) => data);
    if (old > 0) expect(gaps).toEqual([]);
    for (const gap of gaps) expect(gap).toMatchObject({ from: new Date(START).toISOString() });
  },
);

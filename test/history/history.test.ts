// The history on a real store, on a clock as fast as the store commits.

import { statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { historyAnswer } from "../../src/contract/api/history.ts";
import type { Store } from "../../src/contract/store.ts";
import { createHistory } from "../../src/history/history.ts";
import type { Figure } from "../../src/history/steps.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A daemon that only keeps its history. */
function keeper(store: Store, startMs = START) {
  let now = startMs;
  let measured: Figure[] = [];
  const clock = { now: () => now, sleep: async (_ms: number) => {} };
  const history = createHistory({ store, clock, measure: async () => measured });
  return {
    ...{ history, read: history.read, at: () => now },
    jump: (ms: number) => {
      now += ms;
    },
    /** Runs for this long, with `figures` in each minute. */
    async runs(ms: number, figures: Figure[] | ((now: number) => Figure[])) {
      const stop = new AbortController();
      const end = now + ms;
      clock.sleep = async (wait) => {
        if (now + wait > end) {
          now = end;
          measured = [];
          stop.abort();
          throw stop.signal.reason;
        }
        now += wait;
        measured = typeof figures === "function" ? figures(now) : figures;
      };
      await history.run(stop.signal);
    },
  };
}

const wakes = (value: number): Figure => ({ kind: "wakes", of: "heard", value });
const values = async (
  { read }: ReturnType<typeof keeper>,
  range: "hour" | "day" | "month",
  name = "wakes:heard",
) => (await read(range)).series.find((one) => one.name === name)?.values ?? [];

test("without measurements the answer has no series", async () => {
  const { read } = keeper(await openTestStore());
  for (const range of ["hour", "day", "month"] as const)
    expect(historyAnswer.parse(await read(range))).toMatchObject({ range, asOf: null, series: [] });
});

test("each minute of the last hour has its value, and null while nexusd was not running", async () => {
  const store = await openTestStore();
  const one = keeper(store);
  await one.runs(10 * MINUTE, [wakes(2)]);
  one.jump(20 * MINUTE);
  await one.runs(5 * MINUTE, [wakes(3)]);
  const found = await values(one, "hour");
  expect(found).toHaveLength(60);
  expect(found.slice(-35)).toEqual([
    ...Array(10).fill(2),
    null,
    ...Array(19).fill(null),
    ...Array(5).fill(3),
  ]);
  const { from, to, stepSeconds, asOf } = await one.read("hour");
  expect({ from, to, stepSeconds, asOf }).toEqual({
    from: "2025-12-31T23:35:00.000Z",
    to: "2026-01-01T00:35:00.000Z",
    stepSeconds: 60,
    asOf: "2026-01-01T00:35:00.000Z",
  });
});

test("a longer step has the sum, extremes and median of its minutes, even while it is incomplete", async () => {
  const one = keeper(await openTestStore());
  await one.runs(25 * MINUTE, (now) => {
    const minute = (now - START) / MINUTE;
    return [
      wakes(1),
      { kind: "budget.used", of: "https://a.example", value: minute },
      { kind: "budget.left", of: "https://a.example", value: 100 - minute },
      // Many short ones, and one long one.
      {
        kind: "delay.median",
        of: "messages",
        value: minute % 10 === 0 ? 9000 : 100,
        weight: minute % 10 === 0 ? 1 : 5,
      },
      { kind: "delay.max", of: "messages", value: minute },
    ];
  });
  expect((await values(one, "day")).slice(-3)).toEqual([10, 10, 5]);
  expect((await values(one, "month")).at(-1)).toBe(25);
  expect((await values(one, "day", "budget.used:https://a.example")).slice(-3)).toEqual([10, 20, 25]);
  expect((await values(one, "day", "budget.left:https://a.example")).slice(-3)).toEqual([90, 80, 75]);
  expect((await values(one, "day", "delay.median:messages")).slice(-3)).toEqual([100, 100, 100]);
  expect((await values(one, "month", "delay.max:messages")).at(-1)).toBe(25);
});

test("a month, with more series than exist, takes less than 5 MB of the database", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const one = keeper(store);
  const many = Array.from(
    { length: 200 },
    (_, n): Figure => ({
      ...{ kind: "budget.used", of: `https://${"x".repeat(100)}${n}.example`, value: 123_456.789 },
    }),
  );
  // In strides that use every place of each range.
  for (const [times, strideMs] of [
    [188, 4 * HOUR],
    [170, 10 * MINUTE],
    [95, MINUTE],
  ] as const)
    for (let n = 0; n < times; n++) {
      await one.runs(MINUTE, many);
      one.jump(strideMs - MINUTE);
    }
  await one.runs(MINUTE, many);
  for (const [range, count] of [
    ["month", 180],
    ["day", 144],
    ["hour", 60],
  ] as const)
    expect((await one.read(range)).series[0]?.values.filter((value) => value !== null)).toHaveLength(count);
  for (const range of ["hour", "day", "month"])
    expect((await store.readRecords(`history.${range}`)).length).toBeLessThanOrEqual(190);
  // What is still in the write-ahead log is moved into the file.
  await store.close();
  expect(statSync(join(dataDir, "nexusd.db")).size).toBeLessThan(5_000_000);
});

test("history survives a restart, and pending minutes are then aggregated", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const one = keeper(store);
  await one.runs(3 * HOUR + 5 * MINUTE, [wakes(1)]);
  await store.close();
  const again = keeper(await openTestStore({ dataDir }), one.at() + 2 * DAY);
  await again.runs(5 * MINUTE, [wakes(7)]);
  expect((await values(again, "month")).filter((value) => value !== null)).toEqual([185, 35]);
  expect((await values(again, "hour")).filter((value) => value !== null)).toEqual([7, 7, 7, 7, 7]);
});

test("a clock set back or forward shows nothing twice, and the history recovers by itself", async () => {
  const one = keeper(await openTestStore());
  await one.runs(30 * MINUTE, [wakes(1)]);
  one.jump(365 * DAY);
  await one.runs(3 * MINUTE, [wakes(100)]);
  one.jump(-365 * DAY);
  await one.runs(7 * MINUTE, [wakes(1)]);
  const hour = await values(one, "hour");
  expect(hour.slice(-7)).toEqual(Array(7).fill(1));
  expect(hour).not.toContain(100);
  one.jump(-20 * MINUTE);
  await one.runs(5 * MINUTE, [wakes(1)]);
  // A repeated minute has both values; later ones are not shown while they are in the future.
  expect((await values(one, "hour")).slice(-5)).toEqual(Array(5).fill(2));
  expect((await values(one, "month")).at(-1)).toBeLessThan(60);
});

test("a database that accepts no commits costs the plots a gap, and nothing else", async () => {
  const store = await openTestStore();
  let fails = false;
  const one = keeper({
    ...store,
    commitObservation: async (observation) => {
      if (!fails) return await store.commitObservation(observation);
      const { StoreError } = await import("../../src/contract/store.ts");
      throw new StoreError("full", "The disk is full.");
    },
  });
  await one.runs(2 * MINUTE, [wakes(1)]);
  fails = true;
  await one.runs(2 * MINUTE, [wakes(1)]);
  fails = false;
  await one.runs(2 * MINUTE, [wakes(1)]);
  expect((await values(one, "hour")).slice(-6)).toEqual([1, 1, null, null, 1, 1]);
});

test("a record of another version is skipped", async () => {
  const store = await openTestStore();
  await store.commitObservation({
    source: "history",
    put: [{ kind: "history.hour", key: "001", value: { at: "later", figures: 5 } }],
  });
  const one = keeper(store);
  await one.runs(3 * MINUTE, [wakes(1)]);
  expect((await values(one, "hour")).filter((value) => value !== null)).toEqual([1, 1, 1]);
});

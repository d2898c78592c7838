// Paced jobs: a constant pace, bounded places, one backoff for all.

import { describe, expect, it } from "vitest";
import type { PacedJob } from "../../src/scheduler/job.ts";
import fc from "../support/fc.ts";
import { createHarness, deferred, MINUTE, SECOND } from "./harness.ts";

const pacedJob = (step: PacedJob["step"], fields: Partial<PacedJob> = {}): PacedJob => ({
  name: "poll",
  description: "for tests",
  kind: "paced",
  paceMs: () => 100,
  step,
  ...fields,
});

function recorder(fields: Partial<PacedJob> = {}) {
  const startedAt: number[] = [];
  const job = pacedJob(async ({ clock }) => void startedAt.push(clock.monotonic()), fields);
  return { startedAt, job };
}

it("starts steps at the pace and does not drift when timers are late", async () => {
  const { job, startedAt } = recorder();
  const { clock, scheduler } = createHarness([job]);
  scheduler.start();
  await clock.settle();
  await clock.stall(103);
  await clock.stall(99);
  await clock.advance(298);
  expect(startedAt).toEqual([0, 103, 202, 300, 400, 500]);
});

it("does not catch up in a burst on steps that a stall skipped", async () => {
  const { job, startedAt } = recorder();
  const { clock, scheduler } = createHarness([job]);
  scheduler.start();
  await clock.settle();
  await clock.stall(1050);
  await clock.advance(250);
  expect(startedAt).toEqual([0, 1050, 1150, 1250]);
});

it("waits for a place if all are taken", async () => {
  const held: ReturnType<typeof deferred>[] = [];
  const job = pacedJob(
    () => {
      const step = deferred();
      held.push(step);
      return step.promise;
    },
    { concurrency: 2 },
  );
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.advance(SECOND);
  expect(held).toHaveLength(2);
  expect(status()).toMatchObject({ running: true, runs: 2 });
  held[0]?.resolve();
  await clock.settle();
  expect(held).toHaveLength(3);
});

it("reads the pace again while it waits", async () => {
  let pace = MINUTE;
  const { job, startedAt } = recorder({ paceMs: () => pace });
  const { clock, scheduler } = createHarness([job]);
  scheduler.start();
  await clock.advance(SECOND);
  pace = 2 * SECOND;
  await clock.advance(8 * SECOND);
  expect(startedAt.length).toBeGreaterThanOrEqual(3);
});

it("backs off once for steps that fail together, not once for each", async () => {
  const startedAt: number[] = [];
  const job = pacedJob(
    async ({ clock }) => {
      startedAt.push(clock.monotonic());
      await clock.sleep(1000 - (clock.monotonic() % 1000));
      throw new Error("down");
    },
    { concurrency: 8 },
  );
  const { clock, scheduler, status, eventsOf } = createHarness([job]);
  scheduler.start();
  await clock.advance(1749);
  expect(startedAt).toHaveLength(8);
  expect(status()).toMatchObject({ state: "failing", failures: 8, nextRunAt: "2026-01-01T12:00:01.750Z" });
  await clock.advance(1);
  expect(startedAt).toHaveLength(9);
  expect(eventsOf("job.failed")).toHaveLength(1);
});

it("a step that began before the failure does not end the streak", async () => {
  const slow = deferred();
  let steps = 0;
  const job = pacedJob(() => (++steps === 1 ? slow.promise : Promise.reject(new Error("down"))), {
    concurrency: 2,
  });
  const { clock, scheduler, status, eventsOf } = createHarness([job]);
  scheduler.start();
  await clock.advance(150);
  slow.resolve();
  await clock.settle();
  expect(status()).toMatchObject({ state: "failing" });
  expect(eventsOf("job.recovered")).toEqual([]);
});

it("continues if reading the pace throws or returns no number", async () => {
  const paces: (() => number)[] = [
    () => {
      throw new Error("no pace");
    },
    () => Number.NaN,
  ];
  const { job, startedAt } = recorder({ paceMs: () => (paces.shift() ?? (() => 100))() });
  const { clock, scheduler, status, eventsOf } = createHarness([job]);
  scheduler.start();
  await clock.advance(10 * SECOND);
  expect(startedAt.length).toBeGreaterThan(10);
  expect(status().state).toBe("ok");
  expect(eventsOf("job.failed")).toMatchObject([{ code: "Error" }, { code: "TypeError" }]);
});

it("never uses more places than it has, never starts faster than half the pace, never stops for good", async () => {
  const act = fc.record({ fails: fc.boolean(), takesMs: fc.integer({ min: 0, max: 3000 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 200, max: 2000 }),
      async (acts, concurrency, pace) => {
        let running = 0;
        let most = 0;
        const startedAt: number[] = [];
        const job = pacedJob(
          async ({ clock }) => {
            const { fails, takesMs } = acts[startedAt.length % acts.length] ?? { fails: false, takesMs: 0 };
            startedAt.push(clock.monotonic());
            most = Math.max(most, ++running);
            await clock.sleep(takesMs);
            running -= 1;
            if (fails) throw new Error("down");
          },
          { concurrency, paceMs: () => pace },
        );
        const { clock, scheduler } = createHarness([job]);
        scheduler.start();
        await clock.advance(2 * MINUTE);
        expect(most).toBeLessThanOrEqual(concurrency);
        startedAt.slice(1).forEach((at, index) => {
          expect(at - (startedAt[index] ?? Number.NaN)).toBeGreaterThanOrEqual(pace / 2);
        });
        const before = startedAt.length;
        await clock.advance(6 * MINUTE);
        expect(startedAt.length).toBeGreaterThan(before);
        const stopped = scheduler.stop(0);
        await clock.advance(0);
        await stopped;
      },
    ),
    { numRuns: 15 },
  );
});

it("a step without work is not a success: the job is stale if nothing else succeeds", async () => {
  const { clock, scheduler } = createHarness([
    pacedJob(async () => "idle", { intervalMs: () => 10 * SECOND }),
  ]);
  scheduler.start();
  await clock.advance(MINUTE);
  expect(scheduler.list()).toMatchObject([{ lastSuccessAt: null, state: "stale" }]);
});

it("a pace finer than the timers is kept on average", async () => {
  const { job, startedAt } = recorder({ paceMs: () => 0.5, concurrency: () => 100 });
  const { clock, scheduler } = createHarness([job]);
  scheduler.start();
  await clock.settle();
  for (let timer = 0; timer < 100; timer++) await clock.stall(2);
  expect(startedAt.length).toBeGreaterThan(380);
  expect(startedAt.length).toBeLessThan(420);
});

describe("lanes", () => {
  const lanes = () => ["one", "two"];

  function perLane(fails: (lane: string) => Error | undefined, fields: Partial<PacedJob> = {}) {
    const startedAt: Record<string, number[]> = { one: [], two: [] };
    const job = pacedJob(
      async ({ clock }, lane) => {
        startedAt[lane]?.push(clock.monotonic());
        const error = fails(lane);
        if (error) throw error;
      },
      { lanes, ...fields },
    );
    return { startedAt, job };
  }

  it("each has the full pace", async () => {
    const { job, startedAt } = perLane(() => undefined);
    const { clock, scheduler, status } = createHarness([job]);
    scheduler.start();
    await clock.advance(350);
    expect(startedAt).toEqual({ one: [0, 100, 200, 300], two: [0, 100, 200, 300] });
    expect(status()).toMatchObject({ state: "ok", lastError: null });
  });

  it("a lane that fails backs off alone, and the job is degraded with its name", async () => {
    let isDown = true;
    const { job, startedAt } = perLane((lane) =>
      lane === "two" && isDown ? new Error("unreachable") : undefined,
    );
    const { clock, scheduler, status, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(10 * SECOND);
    expect(startedAt.one).toHaveLength(101);
    expect(startedAt.two?.length).toBeLessThan(6);
    expect(status()).toMatchObject({ state: "degraded", failures: 0 });
    expect(status().lastError?.message).toBe("two: Error: unreachable");
    expect(eventsOf("job.failed")).toEqual([]);
    isDown = false;
    await clock.advance(20 * SECOND);
    expect(status()).toMatchObject({ state: "ok", lastError: null });
  });

  it("the job fails if all lanes do, and recovers with the first of them", async () => {
    const down = new Set(["one", "two"]);
    const { job } = perLane((lane) => (down.has(lane) ? new Error("unreachable") : undefined));
    const { clock, scheduler, status, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(5 * SECOND);
    expect(status()).toMatchObject({ state: "failing" });
    expect(eventsOf("job.failed")).toHaveLength(1);
    down.delete("one");
    await clock.advance(20 * SECOND);
    expect(status()).toMatchObject({ state: "degraded", failures: 0 });
    expect(eventsOf("job.recovered")).toHaveLength(1);
  });

  it("a lane whose places are all taken does not delay the other", async () => {
    const held = deferred();
    const startedAt: number[] = [];
    const job = pacedJob(
      async ({ clock }, lane) => {
        if (lane === "one") return await held.promise;
        startedAt.push(clock.monotonic());
      },
      { lanes },
    );
    const { clock, scheduler } = createHarness([job]);
    scheduler.start();
    await clock.advance(350);
    expect(startedAt).toEqual([0, 100, 200, 300]);
    held.resolve();
    await clock.settle();
  });

  it("a removed lane takes its failure with it", async () => {
    let names = ["one", "two"];
    const { job } = perLane((lane) => (lane === "two" ? new Error("unreachable") : undefined), {
      lanes: () => names,
    });
    const { clock, scheduler, status } = createHarness([job]);
    scheduler.start();
    await clock.advance(SECOND);
    expect(status().state).toBe("degraded");
    names = ["one"];
    await clock.advance(SECOND);
    expect(status()).toMatchObject({ state: "ok", lastError: null });
  });
});

// Cron jobs: scheduled times, catch-up, overlap, retries, and clocks that jump.

import { describe, expect, it } from "vitest";
import { BACKOFF_CAP_MS } from "../../src/core/backoff.ts";
import { HttpError } from "../../src/http/errors.ts";
import type { CronJob, JobContext } from "../../src/services/job.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";
import {
  createFakeStore,
  createHarness,
  DAY,
  deferred,
  HOUR,
  MINUTE,
  NOON,
  SECOND,
  testConfig,
} from "./harness.ts";

const cronJob = (run: CronJob["run"], fields: Partial<CronJob> = {}): CronJob => ({
  name: "sweep",
  description: "for tests",
  kind: "cron",
  schedule: "*/5 * * * *",
  timezone: "UTC",
  catchUp: "none",
  run,
  ...fields,
});

/** A job that records its run times, in milliseconds after noon. */
function recorder(fields: Partial<CronJob> = {}) {
  const ranAt: number[] = [];
  const job = cronJob(async ({ clock }) => void ranAt.push(clock.now() - NOON), fields);
  return { ranAt, job };
}

const unavailable = (retryAfterMs?: number) =>
  new HttpError({
    kind: "status",
    service: "nexus",
    label: "GET /rest/v1/orders",
    message: "nexus: GET /rest/v1/orders answered 503",
    status: 503,
    code: "unavailable",
    retryable: true,
    maybeSent: true,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });

describe("schedule", () => {
  it("runs at its times and reports its next run", async () => {
    const { job, ranAt } = recorder();
    const { clock, scheduler, status, store } = createHarness([job]);
    scheduler.start();
    await clock.settle();
    expect(status()).toMatchObject({
      state: "starting",
      nextRunAt: "2026-01-01T12:05:00.000Z",
      intervalMs: 5 * MINUTE,
    });
    await clock.advance(11 * MINUTE);
    expect(ranAt).toEqual([5 * MINUTE, 10 * MINUTE]);
    expect(status()).toMatchObject({
      state: "ok",
      runs: 2,
      failures: 0,
      lastRunAt: "2026-01-01T12:10:00.000Z",
    });
    expect(store.cursors.get("job:sweep")).toMatchObject({ lastRunAt: "2026-01-01T12:10:00.000Z" });
    expect(store.events).toEqual([]);
  });

  it("keeps its hour in its own time zone through the change to summer time", async () => {
    const start = Date.UTC(2026, 2, 28, 12);
    const times: string[] = [];
    const job = cronJob(async ({ clock }) => void times.push(new Date(clock.now()).toISOString()), {
      schedule: "0 9 * * *",
      timezone: "Europe/Berlin",
    });
    const { clock, scheduler } = createHarness([job], { clock: createFakeClock(start) });
    scheduler.start();
    await clock.advance(2 * DAY);
    expect(times).toEqual(["2026-03-29T07:00:00.000Z", "2026-03-30T07:00:00.000Z"]);
  });

  it("skips the times that pass during a run, without counting them as missed", async () => {
    const held = deferred();
    let runs = 0;
    const job = cronJob(() => (++runs === 1 ? held.promise : Promise.resolve()));
    const { clock, scheduler, status, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(17 * MINUTE);
    expect(status()).toMatchObject({ running: true, runs: 1 });
    held.resolve();
    await clock.advance(2 * MINUTE);
    expect(runs).toBe(1);
    await clock.advance(1 * MINUTE);
    expect(runs).toBe(2);
    expect(eventsOf("job.missed")).toEqual([]);
  });

  it("does not count a small delay of the event loop as a miss", async () => {
    const { job, ranAt } = recorder();
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(5 * MINUTE - 1 * SECOND);
    await clock.stall(4 * SECOND);
    expect(ranAt).toEqual([5 * MINUTE + 3 * SECOND]);
    expect(eventsOf("job.missed")).toEqual([]);
  });
});

describe("catch-up", () => {
  it("runs a job with `once` at the very first start, and reports nothing as missed", async () => {
    const { job, ranAt } = recorder({ catchUp: "once" });
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.settle();
    expect(ranAt).toEqual([0]);
    expect(eventsOf("job.missed")).toEqual([]);
  });

  for (const catchUp of ["once", "none"] as const)
    it(`reports the times that passed while the daemon was down, once, and with "${catchUp}" acts on it`, async () => {
      const store = createFakeStore();
      store.cursors.set("job:sweep", { lastRunAt: "2026-01-01T11:40:00.120Z" });
      const clock = createFakeClock(NOON + 30 * SECOND);
      const { job, ranAt } = recorder({ catchUp });
      const first = createHarness([job], { store, clock });
      first.scheduler.start();
      await clock.settle();
      expect(first.eventsOf("job.missed")).toEqual([
        { job: "sweep", missed: 4, since: "2026-01-01T11:45:00.000Z", catchUp: catchUp === "once" },
      ]);
      expect(ranAt).toEqual(catchUp === "once" ? [30 * SECOND] : []);
      await first.scheduler.stop(1000);

      const second = createHarness([job], { store, clock });
      second.scheduler.start();
      await clock.advance(5 * MINUTE);
      expect(second.eventsOf("job.missed")).toHaveLength(1);
      expect(ranAt.at(-1)).toBe(5 * MINUTE);
    });

  it("counts at most a thousand missed times", async () => {
    const store = createFakeStore();
    store.cursors.set("job:sweep", { lastRunAt: "2025-01-01T00:00:00.000Z" });
    const { clock, scheduler, eventsOf } = createHarness([recorder().job], { store });
    scheduler.start();
    await clock.settle();
    expect(eventsOf("job.missed")).toMatchObject([{ missed: 1000 }]);
  });

  it("reports the times that a sleeping machine missed, and runs once", async () => {
    const { job, ranAt } = recorder({ catchUp: "once" });
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(MINUTE);
    clock.jump(3 * HOUR + 30 * SECOND);
    await clock.advance(MINUTE);
    expect(eventsOf("job.missed")).toEqual([
      { job: "sweep", missed: 36, since: "2026-01-01T12:05:00.000Z", catchUp: true },
    ]);
    expect(ranAt).toHaveLength(2);
  });

  it("reports the times that passed when the machine slept during a run", async () => {
    const held = deferred();
    let runs = 0;
    const job = cronJob(() => (++runs === 1 ? held.promise : Promise.resolve()), { catchUp: "once" });
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(MINUTE);
    clock.jump(HOUR);
    held.resolve();
    await clock.settle();
    expect(eventsOf("job.missed")).toMatchObject([{ missed: 12 }]);
    expect(runs).toBe(2);
  });

  it("keeps running, within the minute, when the wall clock goes back by a day, and repeats nothing when it returns", async () => {
    const { job, ranAt } = recorder({ catchUp: "once" });
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(6 * MINUTE);
    clock.jump(-DAY);
    await clock.advance(6 * MINUTE);
    expect(ranAt).toEqual([0, 5 * MINUTE, 10 * MINUTE - DAY]);
    clock.jump(DAY);
    await clock.advance(2 * MINUTE);
    // Only 12:10 of this day, which passed while the clock was wrong, and not a whole day of times.
    expect(eventsOf("job.missed")).toMatchObject([{ missed: 1, since: "2026-01-01T12:10:00.000Z" }]);
  });

  it("does not repeat a run when the clock is set back by a second", async () => {
    const { job, ranAt } = recorder();
    const { clock, scheduler } = createHarness([job]);
    scheduler.start();
    await clock.advance(5 * MINUTE);
    clock.jump(-SECOND);
    await clock.advance(4 * MINUTE);
    expect(ranAt).toHaveLength(1);
  });

  it("repeats a run that a stop cut short", async () => {
    const store = createFakeStore();
    const clock = createFakeClock(NOON);
    const job = cronJob(
      ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
      {
        catchUp: "once",
      },
    );
    const first = createHarness([job], { store, clock });
    first.scheduler.start();
    await clock.advance(SECOND);
    await first.scheduler.stop(1000);
    expect(first.eventsOf("job.failed")).toEqual([]);
    expect(first.status()).toMatchObject({ failures: 0, lastSuccessAt: null });
    const { job: again, ranAt } = recorder({ catchUp: "once" });
    createHarness([again], { store, clock }).scheduler.start();
    await clock.settle();
    expect(ranAt).toHaveLength(1);
  });

  it("does not count times of a new schedule as missed", async () => {
    const store = createFakeStore();
    const clock = createFakeClock(NOON);
    const daily = createHarness([recorder({ schedule: "0 11 * * *", catchUp: "once" }).job], {
      store,
      clock,
    });
    daily.scheduler.start();
    await clock.advance(6 * HOUR);
    await daily.scheduler.stop(1000);
    const { job, ranAt } = recorder({ catchUp: "once" });
    const often = createHarness([job], { store, clock });
    often.scheduler.start();
    await clock.advance(MINUTE);
    expect(often.eventsOf("job.missed")).toEqual([]);
    expect(ranAt).toHaveLength(1);
  });
});

describe("failures", () => {
  it("retries after the backoff, and reports the streak once at its start and once at its end", async () => {
    const ranAt: number[] = [];
    let failuresLeft = 3;
    const job = cronJob(async ({ clock }) => {
      ranAt.push(clock.now() - NOON);
      if (failuresLeft-- > 0) throw unavailable();
    });
    const { clock, scheduler, status, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(5 * MINUTE + SECOND);
    expect(status()).toMatchObject({ state: "failing", failures: 2, lastError: { code: "unavailable" } });
    await clock.advance(MINUTE);
    // Equal jitter at 0.5: three quarters of 1 s, 2 s and 4 s.
    expect(ranAt.map((at) => at - 5 * MINUTE)).toEqual([0, 750, 2250, 5250]);
    expect(eventsOf("job.failed")).toEqual([
      {
        job: "sweep",
        code: "unavailable",
        message: "nexus: GET /rest/v1/orders answered 503",
        retryInMs: 750,
      },
    ]);
    expect(eventsOf("job.recovered")).toEqual([{ job: "sweep", failures: 3 }]);
    expect(status()).toMatchObject({ state: "ok", failures: 0, nextRunAt: "2026-01-01T12:10:00.000Z" });
  });

  it("retries at the next scheduled time if that is before the end of the backoff", async () => {
    const ranAt: number[] = [];
    const job = cronJob(
      async ({ clock }) => {
        ranAt.push(clock.now() - NOON);
        throw new Error("no");
      },
      { schedule: "*/2 * * * *" },
    );
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(HOUR);
    const gaps = ranAt.map((at, index) => at - (ranAt[index - 1] ?? 0)).slice(-10);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * MINUTE);
    expect(eventsOf("job.failed")).toHaveLength(1);
    expect(eventsOf("job.missed")).toEqual([]);
  });

  it.each([
    [undefined, 2],
    [MINUTE, 1],
  ])(
    "retries a failed run as soon as its service is back, unless that asked to wait (%s ms)",
    async (retryAfterMs, runs) => {
      let ran = 0;
      const job = cronJob(
        async () => {
          ran += 1;
          if (ran === 1) throw unavailable(retryAfterMs);
        },
        { service: "nexus", catchUp: "once" },
      );
      const { clock, scheduler } = createHarness([job]);
      scheduler.start();
      await clock.settle();
      scheduler.retryNow("nex");
      await clock.settle();
      expect(ran).toBe(1);
      scheduler.retryNow("nexus");
      await clock.settle();
      expect(ran).toBe(runs);
    },
  );

  it("waits as long as Retry-After says, past scheduled times, and counts none of them as missed", async () => {
    const ranAt: number[] = [];
    const job = cronJob(async ({ clock }) => {
      ranAt.push(clock.now() - NOON);
      if (ranAt.length === 1) throw unavailable(12 * MINUTE);
    });
    const { clock, scheduler, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(20 * MINUTE);
    expect(ranAt).toEqual([5 * MINUTE, 17 * MINUTE, 20 * MINUTE]);
    expect(eventsOf("job.missed")).toEqual([]);
    expect(eventsOf("job.failed")).toMatchObject([{ retryInMs: 12 * MINUTE }]);
  });

  it("repeats a run that failed before a restart", async () => {
    const store = createFakeStore();
    const clock = createFakeClock(NOON);
    const failing = cronJob(() => Promise.reject(new Error("no")), {
      schedule: "0 12 * * *",
      catchUp: "once",
    });
    const first = createHarness([failing], { store, clock });
    first.scheduler.start();
    await clock.settle();
    await first.scheduler.stop(1000);
    const { job, ranAt } = recorder({ schedule: "0 12 * * *" });
    const second = createHarness([job], { store, clock });
    second.scheduler.start();
    await clock.advance(MINUTE);
    expect(ranAt).toHaveLength(1);
  });

  it("never overlaps, never stops for good and never waits too long, whatever fails when", async () => {
    const behaviour = fc.record({
      fails: fc.constantFrom("no", "throws", "rejects", "retryAfter"),
      takesMs: fc.integer({ min: 0, max: 7 * MINUTE }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(behaviour, { minLength: 1, maxLength: 8 }),
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 8 }),
        async (plan, randoms) => {
          let running = 0;
          let overlapped = false;
          let draws = 0;
          const starts: number[] = [];
          const ends: number[] = [];
          const job = cronJob(({ clock }) => {
            overlapped ||= running > 0;
            const act = plan[starts.length % (plan.length + 1)] ?? { fails: "no", takesMs: 1 };
            starts.push(clock.monotonic());
            if (act.fails === "throws") {
              ends.push(clock.monotonic());
              throw new Error("at once");
            }
            running += 1;
            return clock.sleep(act.takesMs).then(() => {
              running -= 1;
              ends.push(clock.monotonic());
              if (act.fails === "rejects") throw "not an error";
              if (act.fails === "retryAfter") throw unavailable(6 * MINUTE);
            });
          });
          const { clock, scheduler, status } = createHarness([job], {
            random: () => randoms[draws++ % randoms.length] ?? 0,
          });
          scheduler.start();
          await clock.advance(3 * HOUR);
          expect(overlapped).toBe(false);
          // From the end of a run to the start of the next: a schedule's interval or Retry-After at most.
          starts.slice(1).forEach((start, index) => {
            const wait = start - (ends[index] ?? Number.NaN);
            expect(wait).toBeGreaterThan(0);
            expect(wait).toBeLessThanOrEqual(6 * MINUTE + BACKOFF_CAP_MS);
          });
          expect(clock.monotonic() - (starts.at(-1) ?? 0)).toBeLessThan(20 * MINUTE);
          expect(status().runs).toBe(starts.length);
          const stopped = scheduler.stop(0);
          await clock.advance(0);
          await stopped;
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("a manual run", () => {
  it("starts at once, or joins a run in progress", async () => {
    const held = deferred();
    let runs = 0;
    const job = cronJob(() => {
      runs += 1;
      return held.promise;
    });
    const { clock, scheduler, status } = createHarness([job]);
    scheduler.start();
    const both = Promise.all([scheduler.run("sweep"), scheduler.run("sweep")]);
    await clock.advance(6 * MINUTE);
    expect(runs).toBe(1);
    held.resolve();
    await both;
    expect(status()).toMatchObject({ state: "ok", runs: 1 });
  });

  it("resolves even if the run fails, and the failure is retried", async () => {
    let runs = 0;
    const job = cronJob(async () => {
      if (++runs === 1) throw new TypeError("broken");
    });
    const { clock, scheduler, status } = createHarness([job]);
    scheduler.start();
    await clock.settle();
    await scheduler.run("sweep");
    expect(status()).toMatchObject({
      state: "failing",
      lastError: { code: "TypeError", message: "TypeError: broken" },
    });
    await clock.advance(SECOND);
    expect(status()).toMatchObject({ state: "ok", runs: 2 });
  });

  it("is refused for a job that is unknown, disabled, paused or not cron", async () => {
    const job = recorder().job;
    const { clock, scheduler } = createHarness([
      job,
      { ...job, name: "off", enabled: () => false },
      {
        name: "held",
        description: "",
        kind: "stream",
        intervalMs: () => MINUTE,
        run: () => new Promise(() => {}),
      },
    ]);
    scheduler.start();
    await clock.settle();
    scheduler.pause("sweep");
    await expect(scheduler.run("nothing")).rejects.toMatchObject({ code: "job_not_found" });
    for (const name of ["sweep", "off", "held"])
      await expect(scheduler.run(name)).rejects.toMatchObject({ code: "job_not_runnable" });
  });
});

describe("a reload", () => {
  it("applies a new schedule, gives jobs the new configuration and misses nothing", async () => {
    const seen: JobContext["config"][] = [];
    const job = cronJob(async ({ config }) => void seen.push(config), {
      name: "retention",
      schedule: (config) => config.jobs.retention.schedule,
      enabled: (config) => config.jobs.retention.enabled,
    });
    const { clock, scheduler, status, eventsOf } = createHarness([job]);
    scheduler.start();
    await clock.advance(HOUR + MINUTE);
    const faster = testConfig({ jobs: { retention: { schedule: "*/5 * * * *" } } });
    scheduler.reconfigure(faster);
    await clock.advance(5 * MINUTE);
    expect(status()).toMatchObject({ schedule: "*/5 * * * *", runs: 1 });
    expect(seen).toEqual([faster]);
    expect(eventsOf("job.missed")).toEqual([]);
    scheduler.reconfigure(testConfig({ jobs: { retention: { enabled: false } } }));
    await clock.advance(HOUR);
    expect(status()).toMatchObject({ state: "disabled", runs: 1, nextRunAt: null });
    scheduler.reconfigure(faster);
    await clock.advance(5 * MINUTE);
    expect(status()).toMatchObject({ state: "ok", runs: 2 });
  });

  it("reports a job as invalid if the new configuration breaks its schedule, and leaves the others alone", async () => {
    let schedule = "*/5 * * * *";
    const { job: other, ranAt } = recorder({ name: "other" });
    const { clock, scheduler, status } = createHarness([recorder({ schedule: () => schedule }).job, other]);
    scheduler.start();
    schedule = "every now and then";
    scheduler.reconfigure(testConfig());
    await clock.advance(10 * MINUTE);
    expect(status()).toMatchObject({ state: "invalid", lastError: { code: "invalid_job" } });
    expect(ranAt).toHaveLength(2);
  });
});

// The scheduler as a whole: jobs do not affect each other, status is true, stop and pause hold.

import { expect, it } from "vitest";
import { StoreError } from "../../src/contract/store.ts";
import type { Job, JobContext, StreamJob } from "../../src/scheduler/job.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";
import { createFakeStore, createHarness, deferred, HOUR, MINUTE, NOON, SECOND } from "./harness.ts";

const cron = (name: string, run: (context: JobContext) => Promise<void>, schedule = "* * * * *"): Job => ({
  name,
  description: "for tests",
  kind: "cron",
  schedule,
  timezone: "UTC",
  catchUp: "none",
  run,
});

const stream = (run: StreamJob["run"]): Job => ({
  name: "held",
  description: "for tests",
  kind: "stream",
  service: "nex",
  intervalMs: () => 10 * SECOND,
  run,
});

/** A held stream, and its context, so that the test can play the service. */
function playable() {
  let context: JobContext | undefined;
  const job = stream(
    (given) =>
      new Promise((resolve) => {
        context = given;
        given.signal.addEventListener("abort", () => resolve());
      }),
  );
  const played = () => {
    if (!context) throw new Error("the stream was not started");
    return context;
  };
  return { job, played };
}

it("whatever a job throws, and however, the others keep running", async () => {
  const refuse = () => {
    throw new Error("do not touch");
  };
  const thrown: unknown[] = [
    new Error("error"),
    "text",
    null,
    undefined,
    42,
    { code: 1 },
    Object.create(null),
    Object.defineProperty(new Error(), "message", { get: refuse }),
    Object.assign(new Error(), { code: { toString: refuse }, name: 7 }),
    new Proxy(new Error("proxy"), { get: refuse, getPrototypeOf: refuse, ownKeys: refuse }),
  ];
  let steadyRuns = 0;
  const jobs: Job[] = [
    ...thrown.map((value, index) => cron(`rejects-${index}`, () => Promise.reject(value))),
    ...thrown.map((value, index) =>
      cron(`throws-${index}`, () => {
        throw value;
      }),
    ),
    cron("steady", async () => void steadyRuns++),
  ];
  const { clock, scheduler, status, eventsOf } = createHarness(jobs);
  scheduler.start();
  await clock.advance(10 * MINUTE);
  expect(steadyRuns).toBe(10);
  expect(status("steady")).toMatchObject({ state: "ok", failures: 0 });
  expect(eventsOf("job.failed")).toHaveLength(2 * thrown.length);
  for (const { name } of jobs.slice(0, -1)) expect(status(name)).toMatchObject({ state: "failing" });
});

it("reports a streak again when its code changes", async () => {
  const codes = ["ECONNREFUSED", "ECONNREFUSED", "ETIMEDOUT"];
  const job = cron("poll", async () => {
    const code = codes.shift();
    if (code) throw Object.assign(new Error("down"), { code });
  });
  const { clock, scheduler, eventsOf } = createHarness([job]);
  scheduler.start();
  await clock.advance(2 * MINUTE);
  expect(eventsOf("job.failed").map(({ code }) => code)).toEqual(["ECONNREFUSED", "ETIMEDOUT"]);
  expect(eventsOf("job.recovered")).toEqual([{ job: "poll", failures: 3 }]);
});

it("runs on a full disk, and reports a lasting failure once there is room again", async () => {
  const store = createFakeStore();
  const full = new StoreError("full", "the disk is full; make room");
  let fails = false;
  const job = cron("poll", async () => {
    if (fails) throw new Error("down");
  });
  const { clock, scheduler, status, eventsOf, logged } = createHarness([job], { store });
  scheduler.start();
  await clock.advance(MINUTE);

  store.failure = full;
  fails = true;
  await clock.advance(MINUTE);
  expect(status().state).toBe("failing");
  expect(logged.filter(({ code, level }) => code === "full" && level === 40)).toHaveLength(1);
  store.failure = undefined;
  await clock.advance(MINUTE);
  expect(eventsOf("job.failed")).toHaveLength(1);

  store.failure = full;
  fails = false;
  await clock.advance(MINUTE);
  expect(status().state).toBe("ok");
  store.failure = undefined;
  await clock.advance(MINUTE);
  expect(eventsOf("job.recovered")).toHaveLength(1);
  expect(store.cursors.get("job:poll")).toMatchObject({ lastRunAt: "2026-01-01T12:05:00.000Z" });
});

it("starts its jobs even if nothing can be read from the store", async () => {
  const store = createFakeStore();
  store.failure = new StoreError("io", "the disk is gone");
  let runs = 0;
  const { clock, scheduler } = createHarness([cron("poll", async () => void runs++)], { store });
  scheduler.start();
  await clock.advance(MINUTE);
  expect(runs).toBe(1);
});

it("goes from starting to stale if nothing succeeds within three intervals", async () => {
  const { job } = playable();
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.advance(30 * SECOND);
  expect(status()).toMatchObject({ state: "starting", service: "nex", intervalMs: 10 * SECOND });
  await clock.advance(1);
  expect(status().state).toBe("stale");
});

it("goes stale three intervals after the last progress, whatever the job or the wall clock says", async () => {
  const { job, played } = playable();
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.advance(SECOND);
  played().progress();
  clock.jump(-HOUR);
  expect(status().state).toBe("ok");
  await clock.advance(30 * SECOND);
  expect(status().state).toBe("ok");
  await clock.advance(1);
  played().degraded({ code: "fallback", message: "polling" });
  expect(status().state).toBe("stale");
  played().progress();
  expect(status()).toMatchObject({ state: "degraded", lastError: { code: "fallback", message: "polling" } });
  played().degraded(undefined);
  expect(status()).toMatchObject({ state: "ok", lastError: null });
});

it("a cron job becomes stale while its run hangs", async () => {
  let runs = 0;
  const job = cron("poll", () => (++runs === 1 ? Promise.resolve() : new Promise(() => {})));
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.advance(4 * MINUTE);
  expect(status()).toMatchObject({ state: "ok", running: true });
  await clock.advance(1);
  expect(status()).toMatchObject({ state: "stale", running: true });
});

it("a cron job with office hours is not stale in the morning", async () => {
  const job = cron("poll", async () => {}, "* 9-17 * * *");
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.advance(6 * HOUR);
  for (let hour = 18; hour < 24 + 9; hour++) {
    expect(status().state).toBe("ok");
    await clock.advance(HOUR);
  }
});

it("a job that succeeded before the restart is not shown as starting, and keeps its age", async () => {
  const store = createFakeStore();
  store.cursors.set("job:poll", { lastRunAt: "2026-01-01T11:30:00.000Z" });
  const { clock, scheduler, status } = createHarness([cron("poll", async () => {}, "30 * * * *")], { store });
  scheduler.start();
  await clock.settle();
  expect(status()).toMatchObject({ state: "ok", lastSuccessAt: "2026-01-01T11:30:00.000Z", runs: 0 });
});

it("a pause ends the run, survives a restart and ends with resume, without missed times", async () => {
  const store = createFakeStore();
  const clock = createFakeClock(NOON);
  let runs = 0;
  const job = cron("poll", async () => void runs++);
  const first = createHarness([job], { store, clock });
  first.scheduler.start();
  await clock.advance(MINUTE);
  first.scheduler.pause("poll");
  expect(first.status()).toMatchObject({ state: "paused", nextRunAt: "2026-01-01T12:02:00.000Z" });
  await clock.advance(5 * MINUTE);
  await first.scheduler.stop(SECOND);

  const second = createHarness([job], { store, clock });
  second.scheduler.start();
  await clock.advance(5 * MINUTE + 30 * SECOND);
  expect(second.status()).toMatchObject({ state: "paused", nextRunAt: null });
  expect(runs).toBe(1);
  second.scheduler.resume("poll");
  await clock.advance(30 * SECOND);
  expect(runs).toBe(2);
  expect(second.status().state).toBe("ok");
  expect(second.eventsOf("job.missed")).toEqual([]);
  expect(store.records.get("job.paused")?.size).toBe(0);
});

it("a pause and a resume while the run ignores its signal never lead to two runs", async () => {
  const held = deferred();
  let running = 0;
  let most = 0;
  const job = stream(async () => {
    most = Math.max(most, ++running);
    await held.promise;
    running -= 1;
  });
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.settle();
  scheduler.pause("held");
  scheduler.resume("held");
  await clock.advance(MINUTE);
  expect(status()).toMatchObject({ running: true, runs: 1 });
  held.resolve();
  await clock.settle();
  expect(status().runs).toBe(2);
  expect(most).toBe(1);
});

it("what a run reports after it was ended is ignored", async () => {
  const { job, played } = playable();
  const { clock, scheduler, status } = createHarness([job]);
  scheduler.start();
  await clock.settle();
  const old = played();
  scheduler.pause("held");
  scheduler.resume("held");
  await clock.settle();
  old.progress();
  old.degraded({ code: "late", message: "late" });
  expect(status()).toMatchObject({ state: "starting", lastSuccessAt: null, lastError: null });
});

it("a stop waits for the current runs, starts none, and does not count as their failure", async () => {
  const { job } = playable();
  let runs = 0;
  const { clock, scheduler, eventsOf } = createHarness([job, cron("poll", async () => void runs++)]);
  scheduler.start();
  await clock.advance(SECOND);
  await scheduler.stop(5 * SECOND);
  scheduler.resume("poll");
  await clock.advance(HOUR);
  expect(runs).toBe(0);
  expect(clock.pending()).toBe(0);
  expect(eventsOf("job.failed")).toEqual([]);
});

it("a stop waits no longer than its grace, and names the jobs that did not stop", async () => {
  const { clock, scheduler, logged } = createHarness([stream(() => new Promise(() => {}))]);
  scheduler.start();
  await clock.settle();
  let stopped = false;
  const stop = scheduler.stop(5 * SECOND).then(() => {
    stopped = true;
  });
  await clock.advance(5 * SECOND - 1);
  expect(stopped).toBe(false);
  await clock.advance(1);
  await stop;
  expect(logged).toContainEqual(
    expect.objectContaining({ msg: "jobs did not stop in time", jobs: ["held"] }),
  );
});

it("keeps its state over a restart in the real database", async () => {
  const clock = createFakeClock(NOON);
  const dataDir = temporaryDirectory();
  const jobs = [cron("poll", async () => {}), cron("idle", async () => {})];
  const before = await openStore({ dataDir, clock });
  const first = createHarness(jobs, { realStore: before, clock });
  first.scheduler.start();
  await clock.advance(MINUTE);
  first.scheduler.pause("idle");
  await first.scheduler.stop(SECOND);
  await before.close();

  await clock.advance(HOUR);
  const after = await openTestStore({ dataDir, clock });
  const second = createHarness(jobs, { realStore: after, clock });
  second.scheduler.start();
  await clock.settle();
  expect(second.status("idle").state).toBe("paused");
  const { events } = await after.readEvents({ after: 0, limit: 10, types: ["job.*"] });
  expect(events.map(({ json }) => JSON.parse(json))).toMatchObject([
    {
      type: "nexusd.job.missed",
      source: "/jobs/poll",
      data: { job: "poll", missed: 59, since: "2026-01-01T12:02:00.000Z", catchUp: false },
    },
  ]);
  await second.scheduler.stop(SECOND);
});

it("lists the files that contain no job", () => {
  const { scheduler } = createHarness([], {
    invalid: [{ file: "/jobs/bad-one.mjs", message: "no default export" }],
  });
  expect(scheduler.list()).toMatchObject([
    { name: "bad-one", state: "invalid", lastError: { code: "invalid_job", message: "no default export" } },
  ]);
});

it("an hour of sleep makes no job late, and each due job runs again at once", async () => {
  const ran: string[] = [];
  const { clock, scheduler } = createHarness([
    {
      ...{ name: "hourly", description: "for tests", kind: "cron", schedule: "30 * * * *", timezone: "UTC" },
      ...{ catchUp: "once", run: async () => void ran.push("hourly") },
    },
    {
      ...{ name: "steps", description: "for tests", kind: "paced", paceMs: () => 4000 },
      step: async () => void ran.push("steps"),
    },
  ]);
  scheduler.start();
  await clock.advance(MINUTE);
  ran.length = 0;
  clock.suspend(HOUR);
  for (const { overdueForMs, runningForMs, quietForMs } of scheduler.pulses()) {
    expect(overdueForMs).toBeLessThanOrEqual(0);
    expect(runningForMs).toBeNull();
    expect(quietForMs).toBeLessThanOrEqual(MINUTE);
  }
  // As the daemon does once it has noticed.
  scheduler.wake();
  await clock.settle();
  expect(ran).toContain("hourly");
  await scheduler.stop(SECOND);
});

// Stream jobs: held open, restarted after a backoff that health resets.

import { expect, it } from "vitest";
import type { JobContext, StreamJob } from "../../src/scheduler/job.ts";
import { createHarness, MINUTE, SECOND } from "./harness.ts";

const streamJob = (run: StreamJob["run"], fields: Partial<StreamJob> = {}): StreamJob => ({
  name: "insights",
  description: "for tests",
  kind: "stream",
  intervalMs: () => 30 * SECOND,
  run,
  ...fields,
});

/** A stream that lives for a given time in each run (the last one for good), then fails. */
function mortal(livesMs: number[], onStart: (context: JobContext) => void = () => {}) {
  const startedAt: number[] = [];
  const job = streamJob(async (context) => {
    startedAt.push(context.clock.monotonic());
    onStart(context);
    await context.clock.sleep(livesMs.shift() ?? Number.POSITIVE_INFINITY, context.signal);
    throw new Error("cut");
  });
  return { startedAt, job };
}

it("restarts after a backoff that doubles", async () => {
  const { job, startedAt } = mortal([0, 0, 0]);
  const { clock, scheduler, status, eventsOf } = createHarness([job]);
  scheduler.start();
  await clock.advance(MINUTE);
  expect(startedAt).toEqual([0, 750, 2250, 5250]);
  expect(status()).toMatchObject({ state: "failing", failures: 3, running: true });
  expect(eventsOf("job.failed")).toMatchObject([{ job: "insights", code: "Error", message: "Error: cut" }]);
});

it("resets the backoff after 30 s of health, and on progress", async () => {
  const healthy = mortal([0, 0, 30 * SECOND, 0]);
  const first = createHarness([healthy.job]);
  first.scheduler.start();
  await first.clock.advance(MINUTE);
  expect(healthy.startedAt).toEqual([0, 750, 2250, 33_000, 34_500]);

  const progressing = mortal([0, 0, 0], (context) => context.progress());
  const second = createHarness([progressing.job]);
  second.scheduler.start();
  await second.clock.advance(MINUTE);
  expect(progressing.startedAt).toEqual([0, 750, 1500, 2250]);
});

it("restarts when the run returns, without counting it as a failure", async () => {
  let runs = 0;
  const job = streamJob(async () => void runs++);
  const { clock, scheduler, status, eventsOf } = createHarness([job]);
  scheduler.start();
  await clock.advance(10 * SECOND);
  expect(runs).toBe(4);
  expect(status().failures).toBe(0);
  expect(eventsOf("job.failed")).toEqual([]);
});

it("a connection that flaps every second is reported by three events, not by thousands", async () => {
  const job = streamJob(async ({ progress, clock }) => {
    progress();
    await clock.sleep(SECOND);
    if (clock.monotonic() < 10 * MINUTE) throw new Error("cut");
    await clock.sleep(Number.POSITIVE_INFINITY);
  });
  const { clock, scheduler, status, store } = createHarness([job]);
  scheduler.start();
  await clock.advance(10 * MINUTE);
  const types = () => store.events.map((event) => event.type);
  expect(types()).toEqual(["job.failed", "job.recovered", "job.failed"]);
  await clock.advance(MINUTE);
  expect(types().slice(3)).toEqual(["job.recovered"]);
  expect(status().failures).toBe(0);
});

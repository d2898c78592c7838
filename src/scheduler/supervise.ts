// Supervision of one job: counts its runs, turns anything it throws into a report and a delay, and tracks its health.

import type { Logger } from "pino";
import type { Failure, NewEvent } from "../contract/new-event.ts";
import { createBackoff } from "../core/backoff.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import { describeFailure, loggable, retryAfterOf } from "./failure.ts";
import type { JobStatus, RunOutcomes } from "./job.ts";
import type { Reports } from "./reports.ts";

/** A run that lasts this long is healthy; a job that fails sooner after its recovery had not recovered. */
export const HEALTHY_MS = 30_000;

/** The status of a job; times are wall times in milliseconds. */
export interface Health {
  running: number;
  runs: number;
  outcomes: RunOutcomes;
  /** Since the last success. */
  failures: number;
  lastRunAt: number | null;
  nextRunAt: number | null;
  /** The same two on the monotonic clock, which stands still while the machine sleeps, as timers do. */
  begun: number | null;
  due: number | null;
  lastSuccess: { at: number; monotonic: number } | null;
  lastError: JobStatus["lastError"];
  degraded: JobStatus["lastError"];
}

/** How long to wait after a failure, in milliseconds from now. */
export interface Wait {
  retryInMs: number;
  /** What the service asked for (`Retry-After`); 0 if nothing. */
  atLeastMs: number;
}

export type Outcome =
  | { kind: "done" }
  /** There was nothing to do. */
  | { kind: "idle" }
  | { kind: "aborted" }
  | { kind: "failed"; error: unknown };
const DONE: Outcome = { kind: "done" };
const IDLE: Outcome = { kind: "idle" };
const ABORTED: Outcome = { kind: "aborted" };

export interface Supervision {
  readonly health: Health;
  /** Runs `work`; never throws or rejects. After the signal has aborted, every outcome is "aborted". */
  attempt(work: () => Promise<unknown>, signal: AbortSignal): Promise<Outcome>;
  /** Reports a failure. `waitMs` replaces the next delay of the backoff if the wait is already decided. */
  failed(error: unknown, waitMs?: number): Wait;
  succeeded(): void;
  /** The job reached its service; unlike a success, this does not end a series of failures. */
  progressed(): void;
  degraded(failure: Failure | undefined): void;
  /** When it runs next, in milliseconds from now; undefined: unknown. */
  planned(inMs: number | undefined): void;
  /** One more delay, for an end that is not a failure. */
  nextDelayMs(): number;
  resetBackoff(): void;
  /** Starts anew, since another node has run the job. */
  forget(): void;
  /** Cancels the timer that waits before a recovery counts. */
  close(): void;
}

export function createSupervision(deps: {
  name: string;
  clock: Clock;
  random: () => number;
  log: Logger;
  reports: Reports;
  /** How to describe a failure; default: `describeFailure`. */
  describe?: (error: unknown) => Failure;
}): Supervision {
  const { name, clock, log, reports, describe = describeFailure } = deps;
  const backoff = createBackoff(deps.random);
  const outcomes = { succeeded: 0, idle: 0, failed: 0, aborted: 0 };
  const health: Health = {
    running: 0,
    runs: 0,
    outcomes,
    failures: 0,
    lastRunAt: null,
    nextRunAt: null,
    begun: null,
    due: null,
    lastSuccess: null,
    lastError: null,
    degraded: null,
  };

  // What the last event said: `code` if it said that the job fails.
  const streak: { code: string | undefined; failures: number; recoveredAt: number; relapsed: boolean } = {
    code: undefined,
    failures: 0,
    recoveredAt: Number.NEGATIVE_INFINITY,
    relapsed: false,
  };
  let doubt: AbortController | undefined;

  const event = { source: `/jobs/${name}`, subject: name };
  const report = (reported: NewEvent) => reports.commit({ source: `job:${name}`, events: [reported] });
  const reportFailure = async (failure: Failure, retryInMs: number) => {
    streak.code = failure.code;
    const stored = await report({ ...event, type: "job.failed", data: { job: name, ...failure, retryInMs } });
    // The event was not stored: the next failure reports it again.
    if (!stored && streak.code === failure.code) streak.code = undefined;
  };

  const recovered = async () => {
    const { code, failures } = streak;
    streak.code = undefined;
    streak.failures = 0;
    streak.relapsed = false;
    streak.recoveredAt = clock.monotonic();
    log.info({ failures }, "job recovered");
    const stored = await report({ ...event, type: "job.recovered", data: { job: name, failures } });
    if (stored || streak.code !== undefined) return;
    // The last event still says that it fails: the next success reports the recovery again.
    streak.code = code;
    streak.failures = failures;
  };

  // A job that alternates between failure and success every second must not flood the log: after a relapse, only some
  // time without failures counts as a recovery.
  const recoverLater = () => {
    if (doubt) return;
    const waiting = new AbortController();
    doubt = waiting;
    clock.sleep(HEALTHY_MS, waiting.signal).then(
      () => {
        doubt = undefined;
        void recovered();
      },
      () => {},
    );
  };
  const endDoubt = () => {
    doubt?.abort();
    doubt = undefined;
  };

  const forget = () => {
    endDoubt();
    Object.assign(health, {
      failures: 0,
      lastRunAt: null,
      lastSuccess: null,
      lastError: null,
      degraded: null,
    });
    Object.assign(streak, { code: undefined, failures: 0, relapsed: false });
    backoff.reset();
  };

  const progressed = () => {
    health.lastSuccess = { at: clock.now(), monotonic: clock.monotonic() };
  };

  return {
    health,
    progressed,
    nextDelayMs: () => backoff.next(),
    resetBackoff: () => backoff.reset(),
    close: endDoubt,
    forget,

    async attempt(work, signal) {
      health.runs += 1;
      health.running += 1;
      health.lastRunAt = clock.now();
      health.begun = clock.monotonic();
      try {
        const result = await work();
        const isIdle = result === "idle";
        outcomes[signal.aborted ? "aborted" : isIdle ? "idle" : "succeeded"] += 1;
        return signal.aborted ? ABORTED : isIdle ? IDLE : DONE;
      } catch (error) {
        outcomes[signal.aborted ? "aborted" : "failed"] += 1;
        return signal.aborted ? ABORTED : { kind: "failed", error };
      } finally {
        health.running -= 1;
      }
    },

    failed(error, waitMs = backoff.next()) {
      endDoubt();
      const failure = describe(error);
      const atLeastMs = retryAfterOf(error);
      const retryInMs = Math.round(Math.max(waitMs, atLeastMs));
      health.failures += 1;
      health.lastError = { ...failure, at: isoTime(clock.now()) };
      if (streak.code === undefined) streak.relapsed = clock.monotonic() - streak.recoveredAt < HEALTHY_MS;
      streak.failures += 1;
      const isNews = streak.code !== failure.code;
      log[isNews ? "warn" : "debug"](
        { ...failure, err: loggable(error), retryInMs, failures: health.failures },
        "job failed",
      );
      if (isNews) void reportFailure(failure, retryInMs);
      return { retryInMs, atLeastMs };
    },

    succeeded() {
      progressed();
      backoff.reset();
      health.failures = 0;
      if (streak.code === undefined) return;
      if (streak.relapsed) recoverLater();
      else void recovered();
    },

    planned(inMs) {
      health.nextRunAt = inMs === undefined ? null : clock.now() + inMs;
      health.due = inMs === undefined ? null : clock.monotonic() + inMs;
    },

    degraded(failure) {
      const before = health.degraded;
      // Own jobs may be JavaScript: what should be a string may be anything.
      const code = failure && String(failure.code).slice(0, 64);
      const message = failure && String(failure.message).slice(0, 500);
      if (before?.code === code && before?.message === message) return;
      health.degraded = code && message ? { code, message, at: isoTime(clock.now()) } : null;
      if (before?.code === code) return;
      if (code) log.warn({ code, message }, "job degraded");
      else log.info({ code: before?.code }, "job no longer degraded");
    },
  };
}

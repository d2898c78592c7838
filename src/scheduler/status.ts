// The status of a job, computed on request from the clock, not from what the job believes.

import { isoTime } from "../core/clock.ts";
import type { InvalidFile, Job, JobContext, JobPulse, JobState, JobStatus } from "./job.ts";
import type { Schedule } from "./schedule.ts";
import type { Health } from "./supervise.ts";

/** A moment on both clocks, in milliseconds: the wall clock for the calendar, the monotonic one for ages. */
export interface Moment {
  at: number;
  monotonic: number;
}

export interface JobView {
  job: Job;
  health: Health;
  schedule: Schedule | undefined;
  enabled: boolean;
  paused: boolean;
  /** The node that runs it; null: none, or there is only this one. */
  node: string | null;
  /** It waits for its lease: another node runs it, or none. */
  isStandby: boolean;
  /** Why the job cannot run at all. */
  problem: JobStatus["lastError"];
  /** Since when it has been meant to run; undefined while it is not meant to. */
  activeSince: Moment | undefined;
  /** For the functions that take the configuration. */
  context: JobContext;
}

const PACED_INTERVAL_MS = 30_000;
const INTERVALS_UNTIL_STALE = 3;

export function jobStatus(view: JobView, now: Moment): JobStatus {
  const { job, health, schedule } = view;
  const intervalMs = readInterval(view, now);
  const toIso = (ms: number | null) => (ms === null ? null : isoTime(ms));
  return {
    name: job.name,
    kind: job.kind,
    description: job.description,
    service: job.service ?? null,
    state: stateOf(view, now, intervalMs),
    node: view.node,
    schedule: schedule?.text ?? null,
    intervalMs: intervalMs ?? null,
    running: health.running > 0,
    lastRunAt: toIso(health.lastRunAt),
    lastSuccessAt: toIso(health.lastSuccess?.at ?? null),
    nextRunAt: toIso(health.nextRunAt),
    lastError: view.problem ?? health.degraded ?? health.lastError,
    failures: health.failures,
    runs: health.runs,
  };
}

export function jobPulse(view: JobView, now: Moment): JobPulse {
  const { health, job } = view;
  const { state, intervalMs } = jobStatus(view, now);
  const since = (monotonic: number | undefined | null) =>
    monotonic === null || monotonic === undefined ? null : now.monotonic - monotonic;
  return {
    ...{ name: job.name, state, intervalMs },
    runningForMs: health.running > 0 ? since(health.begun) : null,
    quietForMs: since(health.lastSuccess?.monotonic),
    overdueForMs: since(health.due),
  };
}

/** "line 3: is not valid TypeScript …". */
const sayInvalid = ({ line, message }: InvalidFile): string =>
  line === undefined ? message : `line ${line}: ${message}`;

/** A file of the jobs directory without a valid job; its kind is unknown. */
export const invalidStatus = (problem: InvalidFile, at: string): JobStatus => ({
  name: problem.file.replace(/^.*[/\\]/, "").replace(/\.\w+$/, ""),
  kind: "cron",
  description: problem.file,
  service: null,
  state: "invalid",
  node: null,
  schedule: null,
  intervalMs: null,
  running: false,
  lastRunAt: null,
  lastSuccessAt: null,
  nextRunAt: null,
  lastError: { code: "invalid_job", message: sayInvalid(problem), at },
  failures: 0,
  runs: 0,
});

function stateOf(view: JobView, now: Moment, intervalMs: number | undefined): JobState {
  const { health, activeSince } = view;
  if (view.problem) return "invalid";
  if (!view.enabled) return "disabled";
  if (view.paused) return "paused";
  if (view.isStandby) return "standby";
  if (health.failures > 0) return "failing";

  const isOld = (moment: Moment) =>
    intervalMs !== undefined &&
    now.monotonic - moment.monotonic > allowance(view.schedule, moment.at, intervalMs);
  const isFresh = health.lastSuccess !== null && !isOld(health.lastSuccess);
  if (!isFresh && activeSince && isOld(activeSince)) return "stale";
  if (health.degraded) return "degraded";
  return isFresh ? "ok" : "starting";
}

/**
 * How old a success at wall time `at` may be. A cron job with nothing to do at night is not stale in the morning: with
 * a schedule, the count begins at most one interval before the first time after that success.
 */
function allowance(schedule: Schedule | undefined, at: number, intervalMs: number): number {
  const age = INTERVALS_UNTIL_STALE * intervalMs;
  const next = schedule?.next(at);
  return next === undefined ? age : Math.max(age, next - at + age - intervalMs);
}

function readInterval(view: JobView, now: Moment): number | undefined {
  const { job, context, schedule } = view;
  try {
    const intervalMs =
      job.kind === "cron"
        ? schedule?.intervalMs(now.at)
        : job.kind === "paced"
          ? (job.intervalMs?.(context) ?? Math.max(PACED_INTERVAL_MS, job.paceMs(context)))
          : job.intervalMs(context);
    return Number.isFinite(intervalMs) ? intervalMs : undefined;
  } catch {
    // The job's own code; its runs report what is wrong with it.
    return undefined;
  }
}

// What a job is. Every file in jobs/, and in the directory that `[jobs] directory` names, has one as its default
// export.

import type { Logger } from "pino";
import type { z } from "zod";
import type { JobStatus } from "../contract/api/jobs.ts";
import type { OwnEventTable } from "../contract/event.ts";
import type { Service } from "../contract/new-event.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import type { SteadyClock } from "../core/steady-clock.ts";

/** What a running job receives. The scheduler only passes on the configuration and the services in it. */
export interface JobContext<Config = unknown, Services = unknown, Settings = unknown, JobStore = Store> {
  config: Config;
  /** The table `[jobs.<name>]`, parsed by the job's own schema; undefined: it has no schema. */
  settings: Settings;
  store: JobStore;
  services: Services;
  clock: Clock;
  /** Measures ages. Use it instead of the wall clock to decide what to remove, expire or end. */
  steady: SteadyClock;
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  log: Logger;
  /** Aborts when the daemon stops, the job is paused, or a reload replaces it. */
  signal: AbortSignal;
  /**
   * Reports progress: the job has just reached its service. A finished cron run or paced step counts as progress, too.
   */
  progress(): void;
  /**
   * Reports a fault that the job can live with (a stream on its fallback): status shows it until it is cleared with
   * undefined.
   */
  degraded(failure: { code: string; message: string } | undefined): void;
}

/** A function of the job. The composition root passes its arguments, whatever types the scheduler gives them. */
type Ask<Arguments extends unknown[], Answer> = { ask(...given: Arguments): Answer }["ask"];
/** Called with the configuration, before there is a context. */
type AskConfig<Context extends JobContext, Answer> = Ask<
  [config: Context["config"], settings: Context["settings"]],
  Answer
>;

interface JobBase<Context extends JobContext> {
  /** Lower case words joined by "-"; also its key in `[jobs.<name>]` if it has settings. */
  name: string;
  description: string;
  /** The service whose state reflects this job. */
  service?: Service;
  /** The schema of `[jobs.<name>]`. Without one, the job has no table there. */
  settings?: z.ZodType;
  /** The types of the events that the job logs itself; their data is checked against them. */
  events?: OwnEventTable;
  /**
   * Called when this node of a fleet begins to run the job, before anything else of it: another node may have run it
   * before. Never called without a fleet.
   */
  begin?: Ask<[context: Context], Promise<void>>;
  /** The lease of a fleet whose holder runs it; default: its own. Jobs of one lease run on one node. */
  lease?: string;
  /** Default: enabled. */
  enabled?: AskConfig<Context, boolean>;
}

/** Runs on a schedule, one run at a time. */
export interface CronJob<Context extends JobContext = JobContext> extends JobBase<Context> {
  kind: "cron";
  /** A croner expression, with an optional field for seconds. */
  schedule: string | AskConfig<Context, string>;
  /** IANA name; default: the time zone of the machine. */
  timezone?: string;
  /**
   * After scheduled times were missed because nexusd was not running or the machine slept: `once` runs at once, `none`
   * waits for the next time.
   */
  catchUp: "none" | "once";
  run(context: Context): Promise<void>;
}

/** Runs step by step: a new step starts at the pace, or later if `concurrency` steps are running. */
export interface PacedJob<Context extends JobContext = JobContext> extends JobBase<Context> {
  kind: "paced";
  /**
   * Lanes run in parallel, such as one for each server; each has its own pace, concurrency and backoff. The names
   * appear in logs and status. Read before each step; default: one lane.
   */
  lanes?: Ask<[context: Context], readonly string[]>;
  /** Milliseconds between the starts of two steps of a lane, read before each step; at least 0.05. */
  paceMs: Ask<[context: Context], number>;
  /** How many steps of a lane run at once, read before each step; default 1. */
  concurrency?: number | Ask<[context: Context], number>;
  /** How long without a finished step counts as stalled, in milliseconds; default 30 s. */
  intervalMs?: Ask<[context: Context], number>;
  /** `idle`: there was nothing to do, which is neither a success nor a failure. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a step that gives nothing need not say so
  step(context: Context, lane: string): Promise<"idle" | void>;
}

/** Runs all the time; when it returns or throws, it is started again after a backoff. */
export interface StreamJob<Context extends JobContext = JobContext> extends JobBase<Context> {
  kind: "stream";
  /** How long without `progress()` counts as stalled, in milliseconds. */
  intervalMs: Ask<[context: Context], number>;
  run(context: Context): Promise<void>;
}

export type Job<Context extends JobContext = JobContext> =
  | CronJob<Context>
  | PacedJob<Context>
  | StreamJob<Context>;

export type { JobStatus };
export type JobState = JobStatus["state"];

/** Whether a job makes progress, in milliseconds of the monotonic clock. */
export interface JobPulse {
  name: string;
  state: JobState;
  intervalMs: number | null;
  /** Time since its run or its newest step began; null: none is running. */
  runningForMs: number | null;
  /** Time since its last success or sign of progress; null: there was none. */
  quietForMs: number | null;
  /** Time since it should have run; negative: time until then; null: unknown. */
  overdueForMs: number | null;
}

/** Outcomes of a job's runs, or of its steps; `idle`: there was nothing to do. */
export const RUN_OUTCOMES = ["succeeded", "idle", "failed", "aborted"] as const;
export type RunOutcomes = Readonly<Record<(typeof RUN_OUTCOMES)[number], number>>;

/** The jobs, and the files that should be jobs but are not. */
export interface LoadedJobs {
  jobs: Job[];
  /** `message` is for a person, and names the field or line that is wrong. */
  invalid: readonly InvalidFile[];
}

export interface InvalidFile {
  file: string;
  /** Counted from 1, if known. */
  line?: number;
  message: string;
}

export interface Scheduler {
  /** Starts every enabled job; resolves when each has started, not when it has succeeded. */
  start(): void;
  /** Starts nothing new and waits for running work, at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /**
   * Applies a new configuration: newly enabled jobs start, disabled ones stop, and all others restart with it, on their
   * new schedule.
   * @param jobs if they were loaded again: all jobs; one replaces the job of the same name
   */
  reconfigure(config: unknown, jobs?: LoadedJobs): void;
  /** Makes every job check again what is due: the clock has jumped, or the machine was asleep. */
  wake(): void;
  /** Ends the backoff of a service's failed cron jobs, because the service is back. */
  retryNow(service: Service): void;
  list(): JobStatus[];
  /** The jobs in `list()`, without invalid files. */
  pulses(): JobPulse[];
  /** By the name of the job, counted since the start. */
  outcomes(): ReadonlyMap<string, RunOutcomes>;
  /**
   * Runs a cron job now, or joins the current run. Resolves when it ends, whatever the outcome; `list()` has it.
   * @throws JobError `job_not_found`, `job_not_runnable` (disabled, paused, invalid, paced or a stream, run by another
   *   node)
   */
  run(name: string): Promise<void>;
  /**
   * Persists across restarts, and holds on all nodes of a fleet.
   * @throws JobError `job_not_found`
   * @throws StoreError in a fleet: nothing has changed
   */
  pause(name: string): Promise<void>;
  /** @throws JobError, StoreError as `pause` does */
  resume(name: string): Promise<void>;
}

export class JobError extends Error {
  override readonly name = "JobError";
  readonly code: "job_not_found" | "job_not_runnable";

  constructor(code: JobError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

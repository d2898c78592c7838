// What a job is. Every file in jobs/, and in the directory named by `[jobs] directory`, exports one by default.

import type { Logger } from "pino";
import type { z } from "zod";
import type { JobStatus } from "../contract/api/jobs.ts";
import type { OwnEventTable } from "../contract/event.ts";
import type { Service } from "../contract/new-event.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import type { SteadyClock } from "../core/steady-clock.ts";

/** What a running job is given. What it sees of the configuration and the services, the scheduler only passes on. */
export interface JobContext<Config = unknown, Services = unknown, Settings = unknown, JobStore = Store> {
  config: Config;
  /** What `[jobs.<name>]` says, as the job's own schema gives it; undefined: it has none. */
  settings: Settings;
  store: JobStore;
  services: Services;
  clock: Clock;
  /** How old things are: what removes, expires or ends something asks it, and not the wall clock. */
  steady: SteadyClock;
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  log: Logger;
  /** Aborts when the daemon stops, the job is paused, or a reload replaces it. */
  signal: AbortSignal;
  /** Proof of progress: the job reached its service just now. A cron run or a paced step that ends proves it too. */
  progress(): void;
  /** A fault that the job lives with (a stream on its fallback): status shows it until it is cleared by undefined. */
  degraded(failure: { code: string; message: string } | undefined): void;
}

/** A question to the job. Its arguments are what the composition root gives, whatever the scheduler takes them for. */
type Ask<Arguments extends unknown[], Answer> = { ask(...given: Arguments): Answer }["ask"];
/** Asked of the configuration, before there is a context. */
type AskConfig<Context extends JobContext, Answer> = Ask<
  [config: Context["config"], settings: Context["settings"]],
  Answer
>;

interface JobBase<Context extends JobContext> {
  /** Lower case words joined by "-"; also its key in `[jobs.<name>]` where it has settings. */
  name: string;
  description: string;
  /** The service whose state this job's state is. */
  service?: Service;
  /** The schema of `[jobs.<name>]`. Without one the job has no table there. */
  settings?: z.ZodType;
  /** The types of the events that the job logs itself; their data is checked against them. */
  events?: OwnEventTable;
  /** Default: enabled. */
  enabled?: AskConfig<Context, boolean>;
}

/** Runs on a schedule, never twice at once. */
export interface CronJob<Context extends JobContext = JobContext> extends JobBase<Context> {
  kind: "cron";
  /** A croner expression, with an optional field for seconds. */
  schedule: string | AskConfig<Context, string>;
  /** IANA name; default: the time zone of the machine. */
  timezone?: string;
  /** After a time when nexusd was not running or asleep: `once` runs at once, `none` waits for the next time. */
  catchUp: "none" | "once";
  run(context: Context): Promise<void>;
}

/** Goes on step by step: a new step starts at the pace, or later when all places are taken. */
export interface PacedJob<Context extends JobContext = JobContext> extends JobBase<Context> {
  kind: "paced";
  /**
   * What goes on side by side, each with the pace, the places and the backoff to itself, such as servers; the names
   * stand in logs and status. Read anew before each step; default: one.
   */
  lanes?: Ask<[context: Context], readonly string[]>;
  /** Milliseconds between the starts of two steps of a lane, read anew before each; finer than 0.05 is 0.05. */
  paceMs: Ask<[context: Context], number>;
  /** Steps of a lane under way at once, read anew before each; default 1. */
  concurrency?: number | Ask<[context: Context], number>;
  /** How long without a finished step counts as stuck, in milliseconds; default 30 s. */
  intervalMs?: Ask<[context: Context], number>;
  /** `idle`: there was nothing to do, which is neither a success nor a failure. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a step that gives nothing need not say so
  step(context: Context, lane: string): Promise<"idle" | void>;
}

/** Is held open; when it returns or throws it is started again after a backoff. */
export interface StreamJob<Context extends JobContext = JobContext> extends JobBase<Context> {
  kind: "stream";
  /** How long without `progress()` counts as stuck, in milliseconds. */
  intervalMs: Ask<[context: Context], number>;
  run(context: Context): Promise<void>;
}

export type Job<Context extends JobContext = JobContext> =
  | CronJob<Context>
  | PacedJob<Context>
  | StreamJob<Context>;

export type { JobStatus };
export type JobState = JobStatus["state"];

/** Whether a job moves, by the monotonic clock: in milliseconds. */
export interface JobPulse {
  name: string;
  state: JobState;
  intervalMs: number | null;
  /** Since its run or its newest step began; null: none is under way. */
  runningForMs: number | null;
  /** Since its last success or sign of progress; null: there was none. */
  quietForMs: number | null;
  /** Since it should have run; negative: until then; null: that is not known. */
  overdueForMs: number | null;
}

/** What became of the runs of a job, or of its steps; `idle`: there was nothing to do. */
export const RUN_OUTCOMES = ["succeeded", "idle", "failed", "aborted"] as const;
export type RunOutcomes = Readonly<Record<(typeof RUN_OUTCOMES)[number], number>>;

/** The jobs there are, and the files that should be jobs and are not. */
export interface LoadedJobs {
  jobs: Job[];
  /** `message` is for a person, and names the field or line that is wrong. */
  invalid: readonly InvalidFile[];
}

export interface InvalidFile {
  file: string;
  /** From 1, where it is known. */
  line?: number;
  message: string;
}

export interface Scheduler {
  /** Starts every enabled job; resolves when each has been started, not when it has succeeded. */
  start(): void;
  /** Stops taking new work and waits for what is under way, at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /**
   * Takes a new configuration: jobs that it enables start, jobs that it disables stop, and all others are started
   * again with it, on their new schedule.
   * @param jobs where they were loaded anew: all there are now; one of the same name takes the place of that before
   */
  reconfigure(config: unknown, jobs?: LoadedJobs): void;
  /** Lets every job look again at what is due: the clock has jumped, or the machine was asleep. */
  wake(): void;
  /** Lets the cron jobs of a service that wait out a failure of theirs try again: the service is there again. */
  retryNow(service: Service): void;
  list(): JobStatus[];
  /** Those of `list()` that are jobs. */
  pulses(): JobPulse[];
  /** Of each job by its name, counted since the start. */
  outcomes(): ReadonlyMap<string, RunOutcomes>;
  /**
   * Runs a cron job now, or joins the run under way. Resolves at its end, whatever it was: `list()` tells.
   * @throws JobError `job_not_found`, `job_not_runnable` (disabled, paused, invalid, paced or a stream)
   */
  run(name: string): Promise<void>;
  /** Kept over restarts. @throws JobError `job_not_found` */
  pause(name: string): void;
  /** @throws JobError `job_not_found` */
  resume(name: string): void;
}

export class JobError extends Error {
  override readonly name = "JobError";
  readonly code: "job_not_found" | "job_not_runnable";

  constructor(code: JobError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

// The scheduler: starts a life for every job, and ends and renews it on stop, pause and reload.

import type { Logger } from "pino";
import { isoTime } from "../core/clock.ts";
import { within } from "../core/within.ts";
import { createCronLoop } from "./cron.ts";
import { type CronMemory, firstMemory, recall, recallHealth, toCursor } from "./cron-memory.ts";
import { describeFailure } from "./failure.ts";
import {
  type InvalidFile,
  type Job,
  type JobContext,
  JobError,
  type JobStatus,
  type LoadedJobs,
  type Scheduler,
} from "./job.ts";
import { createNap, type Life, type Loop } from "./life.ts";
import { storeFor } from "./own-events.ts";
import { createPacedLoop } from "./paced.ts";
import { createReports } from "./reports.ts";
import { createSchedule, type Schedule } from "./schedule.ts";
import { invalidStatus, type JobView, jobPulse, jobStatus, type Moment } from "./status.ts";
import { createStreamLoop } from "./stream.ts";
import { createSupervision, type Supervision } from "./supervise.ts";

export interface SchedulerOptions {
  jobs: Job[];
  /** Files without a valid job; `list()` shows them. */
  invalid?: readonly InvalidFile[];
  /** What every job receives; each gets its own child of `log`. */
  context: Omit<JobContext, "signal" | "progress" | "degraded" | "log" | "settings"> & { log: Logger };
  /** The job's table in the configuration, as its schema parses it. */
  settingsOf?: (config: unknown, name: string) => unknown;
  /** The directory of own jobs: a failure names the line in their files. */
  directory?: string | undefined;
}

/** Why a life begins; scheduled times can have been missed only across a restart of the daemon. */
type Beginning = "boot" | "resumed" | "reloaded";

interface Entry {
  job: Job;
  log: Logger;
  supervision: Supervision;
  enabled: boolean;
  paused: boolean;
  problem: JobStatus["lastError"];
  schedule: Schedule | undefined;
  memory: CronMemory | undefined;
  activeSince: Moment | undefined;
  life: { controller: AbortController; loop: Promise<Loop | undefined>; wake(): void } | undefined;
  /** Resolves when no life of the job is active; a new one waits for it, so that two never overlap. */
  ended: Promise<void>;
}

const PAUSED = "job.paused";

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { clock, store, log } = options.context;
  const { settingsOf = () => undefined, directory } = options;
  let config = options.context.config;
  let invalid = options.invalid ?? [];
  const reports = createReports(store, log);
  const moment = (): Moment => ({ at: clock.now(), monotonic: clock.monotonic() });
  const invalidSince = isoTime(clock.now());

  const createEntry = (job: Job): Entry => {
    const jobLog = log.child({ job: job.name });
    return {
      job,
      log: jobLog,
      supervision: createSupervision({
        name: job.name,
        clock,
        random: options.context.random,
        log: jobLog,
        reports,
        describe: (error) => describeFailure(error, directory),
      }),
      enabled: true,
      paused: false,
      problem: null,
      schedule: undefined,
      memory: undefined,
      activeSince: undefined,
      life: undefined,
      ended: Promise.resolve(),
    };
  };
  const entries = new Map(options.jobs.map((job) => [job.name, createEntry(job)]));

  let boot: Promise<void> | undefined;
  let booted = false;
  let stopping: Promise<void> | undefined;
  /** Paused or resumed while the stored state was still being read. */
  const decided = new Set<string>();

  const settings = ({ name, settings }: Job) => (settings ? settingsOf(config, name) : undefined);

  const contextOf = (entry: Entry, signal: AbortSignal): JobContext => ({
    ...options.context,
    config,
    settings: settings(entry.job),
    store: storeFor(entry.job, store),
    log: entry.log,
    signal,
    progress() {
      if (signal.aborted) return;
      // A stream never ends successfully, so reaching its service counts as success.
      if (entry.job.kind === "stream") entry.supervision.succeeded();
      else entry.supervision.progressed();
    },
    degraded(failure) {
      if (!signal.aborted) entry.supervision.degraded(failure);
    },
  });

  /** Asks the job about its configuration; the answers come from its own code, which may throw. */
  const configure = (entry: Entry) => {
    const { job } = entry;
    entry.problem = null;
    try {
      entry.enabled = job.enabled?.(config, settings(job)) ?? true;
      if (job.kind === "cron" && entry.enabled)
        entry.schedule = createSchedule(
          typeof job.schedule === "string" ? job.schedule : job.schedule(config, settings(job)),
          job.timezone,
        );
    } catch (error) {
      entry.problem = { ...describeFailure(error, directory), code: "invalid_job", at: isoTime(clock.now()) };
      entry.log.error({ err: error }, "job cannot run with this configuration");
    }
  };

  const createLoop = async (entry: Entry, life: Life, beginning: Beginning): Promise<Loop> => {
    const { job, schedule } = entry;
    if (job.kind === "paced") return createPacedLoop(life, job);
    if (job.kind === "stream") return createStreamLoop(life, job);
    if (!schedule) throw new Error("a cron job has no schedule before it is configured");
    let reportMissed = beginning === "boot";
    if (!entry.memory) {
      try {
        const recalled = await recall(store, job, schedule, clock.now());
        entry.memory = recalled.memory;
        reportMissed &&= recalled.sameSchedule;
      } catch (error) {
        entry.log.warn({ ...describeFailure(error), err: error }, "the last run of a job cannot be read");
        entry.memory = { ...firstMemory(job, clock.now()), owed: false };
      }
      recallHealth(entry.supervision.health, entry.memory, moment());
    }
    const memory = entry.memory;
    return createCronLoop(life, {
      job,
      schedule,
      memory,
      reportMissed,
      save: (events = []) =>
        void reports.commit({ source: `job:${job.name}`, cursor: toCursor(memory, schedule), events }),
    });
  };

  const begin = (entry: Entry, beginning: Beginning) => {
    if (!booted || stopping || entry.life) return;
    if (!entry.enabled || entry.paused || entry.problem) {
      entry.activeSince = undefined;
      return;
    }
    entry.activeSince ??= moment();
    entry.supervision.resetBackoff();
    const controller = new AbortController();
    const { signal } = controller;
    const life: Life = {
      context: contextOf(entry, signal),
      signal,
      clock,
      supervision: entry.supervision,
      ...createNap(clock, signal),
    };
    const loop = entry.ended.then(() => (signal.aborted ? undefined : createLoop(entry, life, beginning)));
    entry.life = { controller, loop, wake: life.wake };
    entry.ended = loop
      .then((created) => created && runForGood(created, life))
      .catch((error) => entry.log.error({ err: error }, "job could not be started"));
  };

  const end = (entry: Entry) => {
    entry.life?.controller.abort();
    entry.life = undefined;
  };

  const find = (name: string): Entry => {
    const entry = entries.get(name);
    if (!entry) throw new JobError("job_not_found", `there is no job named ${JSON.stringify(name)}`);
    return entry;
  };

  const readPaused = async () => {
    try {
      for (const { key } of await store.readRecords(PAUSED)) {
        const entry = entries.get(key);
        if (entry && !decided.has(key)) entry.paused = true;
      }
    } catch (error) {
      log.warn({ ...describeFailure(error), err: error }, "which jobs are paused cannot be read");
    }
  };

  const setPaused = (name: string, paused: boolean) => {
    const entry = find(name);
    decided.add(name);
    if (entry.paused === paused && booted) return;
    entry.paused = paused;
    entry.log.info(paused ? "job paused" : "job resumed");
    void reports.commit({
      source: `job:${name}`,
      ...(paused
        ? { put: [{ kind: PAUSED, key: name, value: { pausedAt: isoTime(clock.now()) } }] }
        : { remove: [{ kind: PAUSED, key: name }] }),
    });
    if (!paused) return begin(entry, "resumed");
    entry.activeSince = undefined;
    end(entry);
  };

  const notRunnable = (entry: Entry): string | undefined => {
    if (entry.job.kind !== "cron") return `is a ${entry.job.kind} job, which runs all the time`;
    if (entry.problem) return `is invalid: ${entry.problem.message}`;
    if (!entry.enabled) return "is disabled in the configuration";
    if (entry.paused) return "is paused; resume it first";
    return stopping || !entry.life ? "is not started" : undefined;
  };

  const views = (): JobView[] =>
    [...entries.values()].map((entry) => ({
      ...entry,
      health: entry.supervision.health,
      context: contextOf(entry, entry.life?.controller.signal ?? AbortSignal.abort()),
    }));

  /** A job of the same name inherits the state of the one before: that it is paused, when it last ran. */
  const replaceJobs = (loaded: LoadedJobs) => {
    ({ invalid } = loaded);
    const names = new Set(loaded.jobs.map(({ name }) => name));
    for (const [name, entry] of entries) {
      if (names.has(name)) continue;
      end(entry);
      entry.supervision.close();
      entries.delete(name);
    }
    for (const job of loaded.jobs) {
      const entry = entries.get(job.name);
      if (!entry) entries.set(job.name, createEntry(job));
      else if (entry.job !== job) {
        if (entry.job.kind !== job.kind) entry.memory = undefined;
        Object.assign(entry, { job, schedule: undefined });
      }
    }
  };

  for (const entry of entries.values()) configure(entry);

  return {
    start() {
      boot ??= readPaused().then(() => {
        booted = true;
        for (const entry of entries.values()) begin(entry, "boot");
      });
    },

    stop(graceMs) {
      stopping ??= (async () => {
        for (const entry of entries.values()) {
          end(entry);
          entry.supervision.close();
        }
        const isQuiet = (async () => {
          await boot;
          await Promise.all([...entries.values()].map((entry) => entry.ended));
          await reports.drain();
        })();
        if (await within(clock, graceMs, isQuiet)) return;
        const running = [...entries.values()].filter((entry) => entry.supervision.health.running > 0);
        log.warn({ jobs: running.map((entry) => entry.job.name), graceMs }, "jobs did not stop in time");
      })();
      return stopping;
    },

    reconfigure(newConfig, loaded) {
      config = newConfig;
      if (loaded) replaceJobs(loaded);
      for (const entry of entries.values()) {
        end(entry);
        configure(entry);
        begin(entry, "reloaded");
      }
    },

    wake() {
      for (const { life } of entries.values()) life?.wake();
    },

    retryNow(service) {
      for (const { job, life } of entries.values())
        if (job.service === service) void life?.loop.then((loop) => loop?.retryNow?.());
    },

    list() {
      const now = moment();
      const statuses = views().map((view) => jobStatus(view, now));
      return [...statuses, ...invalid.map((problem) => invalidStatus(problem, invalidSince))];
    },

    pulses() {
      const now = moment();
      return views().map((view) => jobPulse(view, now));
    },

    outcomes: () =>
      new Map([...entries].map(([name, { supervision }]) => [name, supervision.health.outcomes])),

    async run(name) {
      const entry = find(name);
      await boot;
      const reason = notRunnable(entry);
      const loop = reason === undefined ? await entry.life?.loop : undefined;
      if (!loop?.runNow) throw new JobError("job_not_runnable", `${name} ${reason ?? "was stopped"}`);
      await loop.runNow();
    },

    pause: (name) => setPaused(name, true),
    resume: (name) => setPaused(name, false),
  };
}

/** A loop's own code must not throw; if it does, the job still goes on. */
async function runForGood(loop: Loop, life: Life): Promise<void> {
  while (!life.signal.aborted) {
    try {
      return await loop.run();
    } catch (error) {
      await life.nap(life.supervision.failed(error).retryInMs);
    }
  }
}

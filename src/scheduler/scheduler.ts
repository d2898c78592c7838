// The scheduler: starts a life for every job, and ends and renews it on stop, pause and reload.

import type { Logger } from "pino";
import { jobLease } from "../contract/leases.ts";
import { StoreError } from "../contract/store.ts";
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
import { holdForGood, type Tenure } from "./tenure.ts";

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
  /** The node that holds a lease, as far as this node knows; left out: there are no others. */
  holderOf?: (resource: string) => string | undefined;
}

/** Why a life begins; scheduled times can have been missed only while no node, or another one, ran the job. */
type Beginning = "boot" | "gained" | "resumed" | "reloaded";

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
  life: CurrentLife | undefined;
  /** Resolves when no life of the job is active; a new one waits for it, so that two never overlap. */
  ended: Promise<void>;
}

/** From its beginning it waits for the lease of the job, and waits again whenever that is lost. */
interface CurrentLife {
  controller: AbortController;
  /** Whether this node holds the job. */
  isHeld: boolean;
  /** The loop of this stretch, or of the next one. */
  loop: PromiseWithResolvers<Loop | undefined>;
  wake(): void;
}

const PAUSED = "job.paused";

/** The resource whose holder runs the job. */
const leaseOf = ({ name, lease }: Job): string => lease ?? jobLease(name);

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { clock, store, log } = options.context;
  const { settingsOf = () => undefined, holderOf = () => undefined, directory } = options;
  const { fleet, shared } = store;
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
    let reportMissed = beginning === "boot" || beginning === "gained";
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

  /** One stretch of a life, in which this node holds the job. */
  const live = async (entry: Entry, current: CurrentLife, tenure: Tenure, beginning: Beginning) => {
    const { supervision } = entry;
    const { signal } = tenure;
    try {
      if (shared) await takeOver(entry, beginning);
      if (signal.aborted) return undefined;
      current.isHeld = true;
      supervision.resetBackoff();
      const life: Life = {
        context: contextOf(entry, signal),
        ...{ signal, clock, supervision },
        ...createNap(clock, signal),
      };
      current.wake = life.wake;
      if (shared) await entry.job.begin?.(life.context);
      const loop = await createLoop(entry, life, beginning);
      // Whoever asks for a run does so outside of the tenure.
      const runNow = loop.runNow && (() => tenure.within(() => loop.runNow?.() ?? Promise.resolve()));
      current.loop.resolve({ ...loop, ...(runNow && { runNow }) });
      await runForGood(loop, life);
      return signal.aborted ? undefined : "over";
    } catch (error) {
      // The database is away: the job waits for its lease again.
      if (shared && error instanceof StoreError) throw error;
      entry.log.error({ err: error }, "job could not be started");
      return "over";
    } finally {
      // Nothing new may come from it: who asked while it was held is answered, later ones wait for the next stretch.
      current.loop.resolve(undefined);
      current.loop = Promise.withResolvers();
      current.isHeld = false;
      if (shared) await reports.settled();
    }
  };

  /** What another node did meanwhile is in the database; what this node remembers may be older. */
  const takeOver = async (entry: Entry, beginning: Beginning) => {
    await shared?.look();
    entry.memory = undefined;
    if (beginning === "boot") return;
    entry.supervision.forget();
    entry.activeSince = moment();
  };

  const begin = (entry: Entry, beginning: Beginning) => {
    if (!booted || stopping || entry.life) return;
    if (!entry.enabled || entry.paused || entry.problem) {
      entry.activeSince = undefined;
      return;
    }
    entry.activeSince ??= moment();
    const controller = new AbortController();
    const current: CurrentLife = { controller, isHeld: false, loop: Promise.withResolvers(), wake() {} };
    entry.life = current;
    const { signal } = controller;
    signal.addEventListener("abort", () => current.loop.resolve(undefined), { once: true });
    entry.ended = entry.ended.then(() =>
      holdForGood(
        { fleet, resource: leaseOf(entry.job), ending: signal, clock },
        (tenure, isFirst) => live(entry, current, tenure, isFirst ? beginning : "gained"),
        (error) => entry.log.debug({ err: error }, "the lease of a job cannot be held"),
      ),
    );
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

  const applyPaused = (entry: Entry, paused: boolean) => {
    if (entry.paused === paused) return;
    entry.paused = paused;
    entry.log.info(paused ? "job paused" : "job resumed");
    if (!paused) return begin(entry, "resumed");
    entry.activeSince = undefined;
    end(entry);
  };

  const setPaused = async (name: string, paused: boolean) => {
    const entry = find(name);
    decided.add(name);
    const observation = {
      source: `job:${name}`,
      ...(paused
        ? { put: [{ kind: PAUSED, key: name, value: { pausedAt: isoTime(clock.now()) } }] }
        : { remove: [{ kind: PAUSED, key: name }] }),
    };
    // The other nodes learn it from the database, so it counts once it is there.
    if (shared) await store.commitObservation(observation);
    else if (entry.paused !== paused || !booted) void reports.commit(observation);
    applyPaused(entry, paused);
  };

  const unwatch = shared?.watch([PAUSED], ({ put, removed }) => {
    for (const { key } of put) noteElsewhere(key, true);
    for (const key of removed) noteElsewhere(key, false);
  });
  const noteElsewhere = (name: string, paused: boolean) => {
    const entry = entries.get(name);
    if (!entry) return;
    decided.add(name);
    applyPaused(entry, paused);
  };

  const notRunnable = (entry: Entry): string | undefined => {
    if (entry.job.kind !== "cron") return `is a ${entry.job.kind} job, which runs all the time`;
    if (entry.problem) return `is invalid: ${entry.problem.message}`;
    if (!entry.enabled) return "is disabled in the configuration";
    if (entry.paused) return "is paused; resume it first";
    if (stopping || !entry.life) return "is not started";
    if (!shared || entry.life.isHeld) return undefined;
    const node = holderOf(leaseOf(entry.job));
    return node === undefined || node === fleet.node
      ? "is run by no node at the moment; try again"
      : `is run by the node ${node}; run it there`;
  };

  const nodeOf = ({ job, life }: Entry): string | null => {
    if (!shared) return null;
    if (life?.isHeld) return fleet.node;
    const node = holderOf(leaseOf(job));
    return node === undefined || node === fleet.node ? null : node;
  };

  const views = (): JobView[] =>
    [...entries.values()].map((entry) => ({
      ...entry,
      health: entry.supervision.health,
      node: nodeOf(entry),
      isStandby: shared !== undefined && entry.life !== undefined && !entry.life.isHeld,
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
        unwatch?.();
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
        if (job.service === service && life?.isHeld)
          void life.loop.promise.then((loop) => loop?.retryNow?.());
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
      const loop = reason === undefined ? await entry.life?.loop.promise : undefined;
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

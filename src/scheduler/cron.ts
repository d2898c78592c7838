// The loop of a cron job: waits for scheduled times, catches up on missed ones, retries failures.

import type { NewEvent } from "../contract/new-event.ts";
import { isoTime } from "../core/clock.ts";
import type { CronMemory } from "./cron-memory.ts";
import type { CronJob } from "./job.ts";
import type { Life, Loop } from "./life.ts";
import type { Schedule } from "./schedule.ts";
import type { Wait } from "./supervise.ts";

/** The wall clock may jump during a sleep, so no sleep is longer than this. */
const REPLAN_MS = 60_000;
/** A run that starts this late is still on time: event loop lag, or a small clock correction. */
const ON_TIME_MS = 5000;

export interface CronLoopOptions {
  job: CronJob;
  schedule: Schedule;
  /** Updated in place. */
  memory: CronMemory;
  /** Stores the memory, in one commit with what there is to report. */
  save(events?: NewEvent[]): void;
  /** Whether times that passed before this life count as missed; not if the job was paused or its schedule is new. */
  reportMissed: boolean;
}

export function createCronLoop(life: Life, options: CronLoopOptions): Loop {
  const { job, schedule, memory, save } = options;
  const { clock, context, signal, supervision } = life;
  const catchUp = job.catchUp === "once";

  let current: Promise<void> | undefined;
  // Monotonic times: when a failed run is due again, and until when the service wants no request.
  let retry: { at: number; notBefore: number } | undefined;
  // The latest time accounted for, while the wall clock is behind it.
  let highWater = memory.accountedUntil;
  if (memory.owed) retry = { at: clock.monotonic(), notBefore: 0 };

  const execute = async () => {
    const startedAt = clock.now();
    const started = clock.monotonic();
    const next = schedule.next(startedAt);
    supervision.planned(next === undefined ? undefined : next - startedAt);
    const outcome = await supervision.attempt(() => job.run(context), signal);
    // A run that was cut short records nothing: its time stays unaccounted for, and the next life sees that.
    if (outcome.kind === "aborted") return;
    if (outcome.kind === "failed") retry = retryAt(supervision.failed(outcome.error));
    else {
      supervision.succeeded();
      retry = undefined;
    }

    const now = clock.now();
    // Times that passed during the run are skipped (no overlap), unless the machine slept through them.
    const slept = now - startedAt - (clock.monotonic() - started) > ON_TIME_MS;
    memory.accountedUntil = Math.max(memory.accountedUntil, startedAt, slept ? startedAt : now);
    memory.lastRunAt = startedAt;
    memory.owed = retry !== undefined;
    save();
  };
  const retryAt = (wait: Wait) => {
    const now = clock.monotonic();
    return { at: now + wait.retryInMs, notBefore: wait.atLeastMs > 0 ? now + wait.atLeastMs : 0 };
  };
  const attempt = () => {
    current ??= execute().finally(() => {
      current = undefined;
      life.wake();
    });
    return current;
  };

  /** @returns whether to run now */
  const settleDueTimes = (now: number, reportMissed: boolean): boolean => {
    const { count, first, last } = schedule.passed(memory.accountedUntil, now);
    const isOnTime = count > 0 && now - last <= ON_TIME_MS;
    const missed = isOnTime ? count - 1 : count;
    if (missed === 0) return isOnTime;
    memory.accountedUntil = now;
    memory.owed ||= isOnTime || catchUp;
    if (reportMissed) {
      const data = { job: job.name, missed, since: isoTime(first), catchUp };
      context.log.warn(data, "scheduled times were missed");
      save([{ type: "job.missed", source: `/jobs/${job.name}`, subject: job.name, data }]);
    } else save();
    return isOnTime || catchUp;
  };

  const turn = async () => {
    if (current) return current;
    const now = clock.now();
    if (memory.accountedUntil > now + ON_TIME_MS) {
      // The wall clock went back: plan by its new time until it has passed the old one.
      highWater = Math.max(highWater, memory.accountedUntil);
      memory.accountedUntil = now;
    } else if (now >= highWater) memory.accountedUntil = Math.max(memory.accountedUntil, highWater);
    const planned = schedule.next(memory.accountedUntil);
    const untilPlanned = planned === undefined ? Number.POSITIVE_INFINITY : planned - now;
    const elapsed = clock.monotonic();
    const untilRetry = retry ? retry.at - elapsed : Number.POSITIVE_INFINITY;
    const wait = Math.max(Math.min(untilPlanned, untilRetry), retry ? retry.notBefore - elapsed : 0);
    supervision.planned(Number.isFinite(wait) ? Math.max(0, wait) : undefined);
    if (wait > 0) return life.nap(Math.min(wait, REPLAN_MS));

    // Times held back by the service's Retry-After were not missed.
    const isHeldBack = retry !== undefined && retry.notBefore > 0;
    const isDue = untilPlanned <= 0 && settleDueTimes(now, !isHeldBack);
    if (isDue || untilRetry <= 0) return attempt();
  };

  return {
    async run() {
      if (memory.lastRunAt === null && !memory.owed) save(); // from now on, times that pass are missed
      if (!options.reportMissed && settleDueTimes(clock.now(), false)) retry ??= { at: 0, notBefore: 0 };
      while (!signal.aborted) await turn();
      await current;
      supervision.planned(undefined);
    },
    runNow: attempt,
    retryNow() {
      if (!retry || retry.notBefore > 0) return;
      retry.at = Math.min(retry.at, clock.monotonic());
      life.wake();
    },
  };
}

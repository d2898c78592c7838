// What a cron job remembers across restarts, stored as the cursor of the source "job:<name>".

import { z } from "zod";
import type { Store } from "../contract/store.ts";
import { isoTime } from "../core/clock.ts";
import type { CronJob } from "./job.ts";
import type { Schedule } from "./schedule.ts";
import type { Moment } from "./status.ts";
import type { Health } from "./supervise.ts";

/** Wall times in milliseconds. */
export interface CronMemory {
  lastRunAt: number | null;
  /** Scheduled times up to this one have been run, reported or waived. */
  accountedUntil: number;
  /** A run is due whatever the schedule says: the last one failed, or a catch-up was cut short. */
  owed: boolean;
}

const time = z.iso.datetime().transform((text) => Date.parse(text));
const cursorSchema = z.object({
  lastRunAt: time.nullable(),
  accountedUntil: time.optional(),
  owed: z.boolean().default(false),
  schedule: z.string().optional(),
});

/**
 * @returns `sameSchedule`: the schedule has not changed since, so scheduled times that have passed were missed
 * @throws StoreError
 */
export async function recall(
  store: Store,
  job: CronJob,
  schedule: Schedule,
  now: number,
): Promise<{ memory: CronMemory; sameSchedule: boolean }> {
  const stored = await store.readCursor(`job:${job.name}`);
  const parsed = cursorSchema.safeParse(stored?.value);
  if (!parsed.success) return { memory: firstMemory(job, now), sameSchedule: true };
  const { lastRunAt, accountedUntil, owed, schedule: identity } = parsed.data;
  return {
    memory: { lastRunAt, accountedUntil: accountedUntil ?? lastRunAt ?? now, owed },
    sameSchedule: identity === undefined || identity === schedule.identity,
  };
}

/** For a job that never ran: with `once` it is due at once, with `none` it waits for its time. */
export const firstMemory = (job: CronJob, now: number): CronMemory => ({
  lastRunAt: null,
  accountedUntil: now,
  owed: job.catchUp === "once",
});

export const toCursor = (memory: CronMemory, schedule: Schedule) => ({
  lastRunAt: memory.lastRunAt === null ? null : isoTime(memory.lastRunAt),
  accountedUntil: isoTime(memory.accountedUntil),
  owed: memory.owed,
  schedule: schedule.identity,
});

/** A job that succeeded before the restart counts as successful, and its success ages from then. */
export function recallHealth(health: Health, memory: CronMemory, now: Moment): void {
  if (memory.lastRunAt === null) return;
  health.lastRunAt ??= memory.lastRunAt;
  if (memory.owed) return;
  const age = Math.max(0, now.at - memory.lastRunAt);
  health.lastSuccess ??= { at: memory.lastRunAt, monotonic: now.monotonic - age };
}

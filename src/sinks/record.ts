// What a sink stores across restarts: a record of kind "sinks", with the sink's name as its key.

import { z } from "zod";
import { quietSince, type State, shifted } from "./machine.ts";

export const RECORD_KIND = "sinks";

const time = z.number();
const failure = z.object({
  code: z.string(),
  message: z.string(),
  at: z.string(),
});

const schema = z.object({
  /** Wall time, ms. All times of `state` are relative to it: the past is below 0. */
  savedAt: time,
  state: z.object({
    phase: z.enum(["quiet", "due", "waiting"]),
    since: time,
    unreadSince: time.nullable(),
    stuckSince: time.nullable(),
    rung: z.int().min(0),
    woken: z.int().min(0),
    nextAt: time.nullable(),
    recent: z.array(time),
  }),
  /** Of the consumer, as far as this sink has taken notice of it. */
  position: z.int(),
  /** The current wake; null: none. */
  wakeId: z.string().nullable(),
  pausedBy: z.enum(["operator", "target"]).nullable(),
  /** Since when the target refuses, where `sink.failed` has told of it. */
  failedSince: z.string().nullable(),
  lastError: failure.nullable(),
  lastWakeAt: z.string().nullable(),
  lastAcknowledgedAt: z.string().nullable(),
  wakes: z.int(),
  acknowledged: z.int(),
});

type Stored = z.output<typeof schema>;

/** All that a sink remembers; times of `state` are those of the machine, others RFC 3339. */
export type Memory = Omit<Stored, "savedAt" | "state"> & { state: State };

export const newMemory = (position: number, now: number): Memory => ({
  ...{ state: quietSince(now), position, wakeId: null, pausedBy: null },
  ...{ failedSince: null, lastError: null, lastWakeAt: null, lastAcknowledgedAt: null },
  ...{ wakes: 0, acknowledged: 0 },
});

export const toRecord = ({ state, ...rest }: Memory, now: number, wallNow: number): Stored => ({
  ...rest,
  savedAt: wallNow,
  state: { ...shifted(state, -now), recent: [...shifted(state, -now).recent] },
});

/**
 * @param ageOf how long ago a wall time was, at least, in ms: a clock that is put right while nexusd is away must neither
 * empty the hour's limit nor put the next wake off for ever
 * @returns undefined where it is none, or one of a later version that this one cannot read
 */
export function fromRecord(value: unknown, now: number, ageOf: (wall: number) => number): Memory | undefined {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return undefined;
  const { savedAt, state, ...rest } = parsed.data;
  return { ...rest, state: shifted(state, now - Math.max(0, ageOf(savedAt))) };
}

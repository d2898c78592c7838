// Ages of time stamps, although the wall clock may be wrong and corrected, while nexusd runs or while it does not.
//
// The wall clock's readings fall into stretches: within one it advances evenly beside the uptime of the machine, which
// includes sleep; between two it was stepped. The age of a time stamp is the uptime that has passed since the stretch
// in which it was made, whatever the wall clock says now. If that is unknown, the youngest age counts: code that
// removes, expires or ends something asks here, and does so too late rather than too early.

import { z } from "zod";
import type { Clock } from "./clock.ts";

/** A smaller difference is drift, or a late reading. */
const STEP_MS = 5000;
/** A clock that was stepped may be stepped again soon: it is trusted once it has been steady for this long. */
const STEADY_AFTER_MS = 10 * 60_000;
/** Either nexusd was off for this long, or the wall clock is wrong by it: which one is unknown. */
const LONGEST_PAUSE_MS = 30 * 86_400_000;
/** A machine whose clock is stepped all the time must not make the list endless. */
const MOST_STRETCHES = 32;
/** What moves less beside the monotonic clock within a second was not stepped: the uptime is not read each time. */
const GLANCE_MS = 1000;
const SAME_MS = 100;
/** Time zones and leap seconds aside, nobody stamps anything later than now; nor later than this. */
const AHEAD_MS = STEP_MS;

export interface SteadyClock {
  /** False for a while after each step of the wall clock: nothing is removed, expired or ended meanwhile. */
  isSteady(): boolean;
  /** Resolves once it is steady; rejects with the signal's reason. */
  settled(signal: AbortSignal): Promise<void>;
  /** The least age of a time stamp of this machine. @param madeAt ms since the epoch, like the result */
  ageOf(madeAt: number): number;
  /** Whether the clock is steady and the time stamp certainly at least this old. */
  isOlder(madeAt: number, ageMs: number): boolean;
  /** A time for comparisons in bulk: every stamp before it is at least this old. 0: nothing is certain to be. */
  before(ageMs: number): number;
}

/** Describes a step, or a sleep of the machine. */
export interface ClockJump {
  kind: "stepped" | "slept";
  /**
   * How far the wall clock is ahead of where it should be, or how long the machine slept. Negative: it was set back.
   */
  ms: number;
}

/** A stretch that has ended: stamps from `from` to `to` are `shift` later by the wall clock of now. */
interface Ended {
  from: number;
  to: number;
  shift: number;
}

const endedSchema = z.object({ from: z.number(), to: z.number(), shift: z.number() });
const stateSchema = z.object({
  bootId: z.string(),
  /** Of the machine, at `wall`. */
  uptime: z.number(),
  wall: z.number(),
  from: z.number(),
  ended: z.array(endedSchema),
  /** The uptime at the last step; null: there was none that matters. */
  steppedAt: z.number().nullable(),
  /** The gap before this life that is still in doubt: its stretches among `ended`, by their places. */
  doubt: z
    .object({ stretches: z.array(z.int()), from: z.number(), until: z.number() })
    .nullable()
    .default(null),
});
/** JSON: what to store for the next start. */
export type SteadyClockState = z.infer<typeof stateSchema>;

export interface SteadyClockKeeper extends SteadyClock {
  /** Compares the clocks; call it often. @returns what has happened since the last call */
  look(): ClockJump | undefined;
  state(): SteadyClockState;
}

/**
 * @param options.stored what `state` returned in an earlier life; anything else counts as nothing
 * @param options.bootId identifies the start of the machine, or is empty if unknown
 */
export function createSteadyClock(
  clock: Pick<Clock, "now" | "monotonic" | "uptime" | "sleep">,
  options: { stored?: unknown; bootId?: string } = {},
): SteadyClockKeeper {
  const { stored, bootId = "" } = options;
  /** Where the current stretch begins; 0: before all that is known. */
  let from = 0;
  let ended: Ended[] = [];
  let steppedAt: number | undefined;
  /** The gaps between lives that are believed once this one has been steady for a while. */
  let doubt: { stretches: Ended[]; from: number; until: number } | undefined;
  let offset = clock.now() - clock.uptime();
  let awake = clock.uptime() - clock.monotonic();
  let lookedAt = clock.uptime();
  let glanced = { monotonic: clock.monotonic(), ahead: clock.now() - clock.monotonic() };

  /** The wall clock goes on from `shift` later than it would have. */
  const step = (to: number, begins: number, shift: number) => {
    for (const stretch of ended) stretch.shift += shift;
    ended.push({ from, to, shift });
    from = begins;
    // Put right again, it is the stretch from before: stamps of both are compared as they are.
    for (const same of ended.filter((stretch) => Math.abs(stretch.shift) <= STEP_MS))
      from = Math.min(from, same.from);
    ended = ended.filter((stretch) => Math.abs(stretch.shift) > STEP_MS).slice(-MOST_STRETCHES);
    doubt = undefined;
  };

  const look = (): ClockJump | undefined => {
    const up = clock.uptime();
    const now = clock.now();
    const expected = offset + up;
    const slept = up - clock.monotonic() - awake;
    const sinceLook = up - lookedAt;
    awake += slept;
    lookedAt = up;
    glanced = { monotonic: clock.monotonic(), ahead: now - clock.monotonic() };
    offset = now - up;
    if (Math.abs(now - expected) > STEP_MS) {
      step(expected, now - sinceLook, now - expected);
      steppedAt = up;
      return { kind: "stepped", ms: now - expected };
    }
    if (doubt && up >= doubt.until) {
      const { stretches } = doubt;
      from = doubt.from;
      ended = ended.filter((stretch) => !stretches.includes(stretch));
      doubt = undefined;
    }
    return Math.abs(slept) > STEP_MS ? { kind: "slept", ms: slept } : undefined;
  };

  const recall = (before: SteadyClockState) => {
    const now = clock.now();
    const up = clock.uptime();
    ({ from } = before);
    ended = before.ended;
    const open = before.doubt && {
      ...before.doubt,
      stretches: before.doubt.stretches.flatMap((at) => ended[at] ?? []),
    };
    const isSameBoot = bootId !== "" && bootId === before.bootId && up >= before.uptime;
    const expected = before.wall + (isSameBoot ? up - before.uptime : 0);
    if (isSameBoot) steppedAt = before.steppedAt ?? undefined;
    const isStepped = isSameBoot
      ? Math.abs(now - expected) > STEP_MS
      : now < expected - STEP_MS || now > expected + LONGEST_PAUSE_MS;
    if (isStepped) steppedAt = up;
    if (!isStepped && isSameBoot) {
      doubt = open ?? undefined;
      return;
    }
    const earlier = open?.from ?? from;
    step(expected, now, now - expected);
    const stretch = ended.at(-1);
    if (!isStepped && stretch?.to === expected)
      doubt = {
        stretches: [...(open?.stretches ?? []), stretch],
        from: earlier,
        until: up + STEADY_AFTER_MS,
      };
  };

  const parsed = stateSchema.safeParse(stored);
  if (parsed.success) recall(parsed.data);

  const glance = () => {
    const monotonic = clock.monotonic();
    const isSame = Math.abs(clock.now() - monotonic - glanced.ahead) < SAME_MS;
    if (!isSame || monotonic - glanced.monotonic >= GLANCE_MS) look();
  };
  const isSteady = () => {
    glance();
    return steppedAt === undefined || clock.now() - offset - steppedAt >= STEADY_AFTER_MS;
  };

  const ageOf = (madeAt: number): number => {
    glance();
    const now = clock.now();
    const isCurrent = madeAt >= from && madeAt <= now + AHEAD_MS;
    let latest = isCurrent ? madeAt : Number.NEGATIVE_INFINITY;
    for (const stretch of ended)
      if (madeAt >= stretch.from && madeAt <= stretch.to) latest = Math.max(latest, madeAt + stretch.shift);
    // Of a stretch that was forgotten, or of another clock.
    if (latest === Number.NEGATIVE_INFINITY) latest = madeAt > now ? now : Math.max(from, madeAt);
    return Math.max(0, now - latest);
  };

  return {
    look,
    isSteady,
    ageOf,
    async settled(signal) {
      while (!isSteady()) await clock.sleep(STEP_MS, signal);
    },
    isOlder: (madeAt, ageMs) => isSteady() && ageOf(madeAt) >= ageMs,
    before(ageMs) {
      glance();
      const certain = clock.now() - ageMs;
      let before = certain;
      for (const { from: begins, to, shift } of ended)
        if (to + shift > certain) before = Math.min(before, Math.max(begins, certain - shift));
      return Math.max(0, before);
    },
    state: () => ({
      ...{ bootId, uptime: clock.uptime(), wall: clock.now(), from, ended },
      steppedAt: steppedAt ?? null,
      doubt: doubt ? { ...doubt, stretches: doubt.stretches.map((stretch) => ended.indexOf(stretch)) } : null,
    }),
  };
}

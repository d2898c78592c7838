// When to wake: the state of one sink and its transitions, as pure functions. Times are milliseconds of one clock that
// never goes back; `now` is of the same.
//
//   quiet ──pending──▶ due ──wake──▶ waiting ──wake again, ever later──▶ waiting
//     ▲                                 │
//     └── nothing pending any more ◀────┴── acknowledged, something left: the ladder begins anew
//
// M1  Nothing pending: no wake, and no time at which anything is to happen.
// M2  Within any hour there are at most `maxWakesPerHour` wakes, over restarts too.
// M3  What is pending is woken for again and again, for ever, as long as nothing is acknowledged.
// M4  New events while waiting change nothing: the wake that went out covers them, and so does the next one.

const HOUR_MS = 3_600_000;
/** From one wake to the next while nothing is acknowledged; the last one repeats. */
const LADDER_MS: readonly [number, ...number[]] = [30_000, 60_000, 120_000, 240_000, 300_000];
/**
 * The largest share of a step that is added as jitter, so that many sinks do not wake together. Never less: a wake
 * costs money.
 */
const JITTER = 0.1;

export interface Policy {
  debounceMs: number;
  stuckAfterMs: number;
  maxWakesPerHour: number;
  /** From one wake to the next, whatever was acknowledged in between. */
  leastIntervalMs: number;
}

export interface State {
  phase: "quiet" | "due" | "waiting";
  /** Since when it is in this phase. */
  since: number;
  /** Since when nothing of what is pending was acknowledged; null while quiet. */
  unreadSince: number | null;
  /** Since when it is stuck; null: it is not. */
  stuckSince: number | null;
  /** The next step of the intervals. */
  rung: number;
  /** Wakes since `unreadSince`. */
  woken: number;
  /** The earliest time of the next wake; null while quiet. */
  nextAt: number | null;
  /** When the wakes of the last hour went out, ascending. */
  recent: readonly number[];
}

export const quietSince = (now: number, recent: readonly number[] = []): State => ({
  ...{ phase: "quiet", since: now, unreadSince: null, stuckSince: null },
  ...{ rung: 0, woken: 0, nextAt: null },
  recent: withinHour(recent, now),
});

/** Whether something is pending; nothing was acknowledged. */
export function looked(state: State, isPending: boolean, policy: Policy, now: number): State {
  if (!isPending) return state.phase === "quiet" ? state : quietSince(now, state.recent);
  if (state.phase !== "quiet") return state;
  return due(state, now + policy.debounceMs, now);
}

/** The position moved forward. @param isPending whether something is left */
export function acknowledged(
  state: State,
  isPending: boolean,
  policy: Policy,
  now: number,
  random: () => number,
): State {
  if (!isPending || state.phase === "quiet") return looked(state, isPending, policy, now);
  const read = { ...state, unreadSince: now, stuckSince: null, woken: 0 };
  // Somebody reads: the first interval gives them time to go on. Before the first wake nothing is delayed.
  return state.phase === "due" ? read : { ...read, rung: 1, nextAt: now + step(0, random) };
}

/** The target itself accepted what it was given: that was not a wake, and the rest is delivered at once. */
export function delivered(state: State, isPending: boolean, now: number): State {
  const recent = state.recent.slice(0, -1);
  return isPending ? due({ ...state, recent }, now, now) : quietSince(now, recent);
}

/** A wake goes out now. It has to be on disk before that. */
export const woke = (state: State, now: number, random: () => number): State => ({
  ...state,
  ...(state.phase !== "waiting" && { phase: "waiting", since: now }),
  rung: state.rung + 1,
  woken: state.woken + 1,
  nextAt: now + step(state.rung, random),
  recent: [...withinHour(state.recent, now), now],
});

/**
 * What was woken has come to its end, which may have been long after the wake: the step of the ladder begins only now.
 * Where something was acknowledged meanwhile, whoever read has ended as well, and what is left need not wait longer.
 * @param how.unreadSince as it was at the wake
 */
export function ended(
  state: State,
  how: { unreadSince: number | null; tookMs: number; retryAfterMs?: number },
  policy: Policy,
  now: number,
): State {
  if (state.nextAt === null) return state;
  const isUnread = state.phase === "waiting" && state.unreadSince === how.unreadSince;
  const at = isUnread ? state.nextAt + how.tookMs : Math.max(state.nextAt, now + policy.debounceMs);
  return { ...state, nextAt: Math.max(at, now + (how.retryAfterMs ?? 0)) };
}

/** When the next wake goes out; undefined: nothing is pending. It may be past. */
export function wakeAt(state: State, policy: Policy): number | undefined {
  if (state.nextAt === null) return undefined;
  const { recent } = state;
  const last = recent.at(-1);
  const first = recent.at(-policy.maxWakesPerHour);
  return Math.max(
    state.nextAt,
    last === undefined ? 0 : last + policy.leastIntervalMs,
    recent.length < policy.maxWakesPerHour || first === undefined ? 0 : first + HOUR_MS,
  );
}

/** When it becomes stuck; undefined: it will not, or is already. */
export const stuckAt = (state: State, policy: Policy): number | undefined =>
  state.unreadSince === null || state.stuckSince !== null
    ? undefined
    : state.unreadSince + policy.stuckAfterMs;

export const stuck = (state: State, now: number): State => ({ ...state, stuckSince: now });

/** Restarts the time without an acknowledgement: it was paused, or its target changed. */
export const resumed = (state: State, policy: Policy, now: number): State =>
  state.phase === "quiet" ? state : due(state, now + policy.debounceMs, now);

/** It has another policy now: what is due is so by the new debounce, where that is shorter. */
export const underNewPolicy = (state: State, policy: Policy, now: number): State =>
  state.phase === "due" && state.nextAt !== null
    ? { ...state, nextAt: Math.min(state.nextAt, now + policy.debounceMs) }
    : state;

/** The same with every time moved, from one clock to another. */
export const shifted = (state: State, by: number): State => ({
  ...state,
  since: state.since + by,
  unreadSince: state.unreadSince === null ? null : state.unreadSince + by,
  stuckSince: state.stuckSince === null ? null : state.stuckSince + by,
  nextAt: state.nextAt === null ? null : state.nextAt + by,
  recent: state.recent.map((at) => at + by),
});

const due = (state: State, at: number, now: number): State => ({
  ...state,
  ...(state.phase !== "due" && { phase: "due", since: now }),
  ...{ unreadSince: now, stuckSince: null, rung: 0, woken: 0 },
  nextAt: at,
});

const withinHour = (recent: readonly number[], now: number) => recent.filter((at) => at + HOUR_MS > now);

const step = (rung: number, random: () => number): number =>
  Math.round((LADDER_MS[Math.min(rung, LADDER_MS.length - 1)] ?? LADDER_MS[0]) * (1 + JITTER * random()));

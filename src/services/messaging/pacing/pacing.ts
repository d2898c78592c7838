// Chooses the session to poll next, so that messages wait as little as a constant number of polls a minute allows.
//
// The rule: the session with the largest index, ∫ λ̂(s)·s ds over its wait (λ̂·τ²/2 for a steady rate λ̂). Steady
// sessions are then polled in proportion to √λ, which is the optimum; equal ones in turn; and a session that becomes
// active at once gets most of the polls. See pacing-model.ts for λ̂ and pacing-order.ts for the largest of n. Pure: no
// clock, no timers, no requests, no randomness.

import { createEstimates, type Estimate } from "./estimates.ts";
import { createHeap } from "./heap.ts";
import { createOrder } from "./order.ts";

export interface PacingOptions {
  /** The time from one poll to the next, over all sessions. */
  paceMs: number;
  /** No session waits longer than this for its next poll, as long as the pace allows it (sessions · paceMs). */
  maxStalenessMs: number;
}

/**
 * If the pace does not allow the longest wait, all share evenly: none waits longer than this many even shares (sessions
 * · paceMs). 1 would be round robin. The order needs this much room to be useful: by simulation at n = 100,
 * conversations then wait 0.44 of round robin's mean (0.58 at 1.1, 0.42 without a limit) and 0.84 of its p95 (0.97
 * without a limit).
 */
const MOST_SHARES = 4 / 3;
/** The part of the pace that polls can count on: health checks, renewals and other turns have the rest. */
const FOR_POLLS = 0.95;

/** Times are in ms since the epoch and do not go back. Calls about an unknown id are ignored. */
export interface Pacing {
  /** Adds a session; one without an estimate is polled before those that may wait. An existing one is unchanged. */
  add(id: string, nowMs: number, remembered?: Estimate): void;
  remove(id: string): void;
  /**
   * Takes the session to poll now; it is not returned again until it is reported. Undefined: none is free.
   * @param prefersNew new ones even before those that are overdue
   */
  next(nowMs: number, prefersNew?: boolean): string | undefined;
  /** The poll succeeded, and brought this many messages of others. Counts for the time when it was taken. */
  polled(id: string, nowMs: number, messages: number): void;
  /** The poll failed: the session had its turn, and nothing was learnt. */
  failed(id: string, nowMs: number): void;
  /** The turn was used for something else: the session keeps waiting, since when it did. */
  returned(id: string, nowMs: number): void;
  /** This many more are about to be added: the pace is already shared with them. */
  expect(count: number): void;
  /** Whether none of them, nor of those expected, has to wait longer than `maxStalenessMs`. */
  isAmple(): boolean;
  /** Whether a session has waited as long as it may. */
  isOverdue(nowMs: number): boolean;
  /** An own message was sent: an answer is likely. */
  sent(id: string, nowMs: number): void;
  /** Not returned before this time. */
  pause(id: string, untilMs: number): void;
  /** What to pass to `add` after a restart: plain JSON. */
  estimate(id: string): Estimate | undefined;
  size(): number;
  /** Comparisons and evaluations so far: the cost of the decisions, the same on every machine. */
  work(): number;
}

interface Entry {
  id: string;
  slot: number;
  /** Added without an estimate, and not taken since. */
  isNew: boolean;
  /** When the session was taken; null: it is not. */
  takenAtMs: number | null;
  pausedUntilMs: number;
}

/** Before anything is known: one message in five minutes, believed like an hour of one session. */
const USUAL_RATE = 1 / 300;
const USUAL_EXPOSURE_S = 3600;

export function createPacing(options: PacingOptions): Pacing {
  const { paceMs, maxStalenessMs } = options;
  const work = { count: 0 };
  const byId = new Map<string, Entry>();
  const bySlot: (Entry | undefined)[] = [];
  const freeSlots: number[] = [];
  // Free ones are in `order`, paused ones in `paused`; free and taken ones in `waiting`, possibly by an earlier turn
  // than their last: that is corrected when it reaches the top, not at each turn.
  const estimates = createEstimates();
  const order = createOrder(estimates, work);
  const waiting = createHeap(work);
  const paused = createHeap(work);
  let messages = 0;
  let exposureS = 0;
  let expected = 0;

  /** Over all sessions together, in messages a second and session. */
  const meanRate = () =>
    Math.max(
      1e-7,
      (Math.max(0, messages) + USUAL_RATE * USUAL_EXPOSURE_S) / (Math.max(0, exposureS) + USUAL_EXPOSURE_S),
    );

  function count({ slot }: Entry, sign: 1 | -1): void {
    messages += sign * estimates.messages(slot);
    exposureS += sign * estimates.exposureS(slot);
  }

  /** Puts a session into the structure for its state. */
  function place(entry: Entry, nowMs: number): void {
    if (entry.takenAtMs !== null) return;
    if (entry.pausedUntilMs > nowMs) {
      withdraw(entry);
      paused.set(entry.slot, entry.pausedUntilMs);
      return;
    }
    paused.delete(entry.slot);
    const turnAtMs = estimates.turnAtMs(entry.slot);
    if (!waiting.has(entry.slot)) waiting.set(entry.slot, turnAtMs);
    if (entry.isNew) order.setFirst(entry.slot, turnAtMs);
    else order.set(entry.slot, nowMs);
  }

  function withdraw({ slot }: Entry): void {
    order.delete(slot);
    waiting.delete(slot);
    paused.delete(slot);
  }

  /** Whether the pace allows the longest wait for all, including those expected. */
  const isAmple = () => (byId.size - paused.size() + expected) * paceMs <= FOR_POLLS * maxStalenessMs;

  /** How long a session may wait. The last poll in time is the one a pace before. */
  function longestWaitMs(): number {
    const evenShareMs = (byId.size - paused.size() + expected) * paceMs;
    return (isAmple() ? maxStalenessMs : MOST_SHARES * evenShareMs) - paceMs;
  }

  /** The session that must be polled now. Deadlines are as far apart as the turns that set them: one at a time. */
  function overdue(nowMs: number): Entry | undefined {
    const beforeMs = nowMs - longestWaitMs();
    while (waiting.topKey() < beforeMs) {
      const entry = bySlot[waiting.top()];
      if (!entry) return undefined;
      const turnAtMs = estimates.turnAtMs(entry.slot);
      if (entry.takenAtMs !== null) waiting.delete(entry.slot);
      else if (turnAtMs <= waiting.topKey()) return entry;
      else waiting.set(entry.slot, turnAtMs);
    }
    return undefined;
  }

  /** Ends a turn. */
  function release(entry: Entry, atMs: number, nowMs: number): void {
    estimates.beginWait(entry.slot, atMs);
    entry.takenAtMs = null;
    entry.isNew = false;
    place(entry, nowMs);
  }

  return {
    add(id, nowMs, remembered) {
      if (byId.has(id)) return;
      const slot = freeSlots.pop() ?? bySlot.length;
      const entry: Entry = {
        id,
        slot,
        isNew: !remembered,
        takenAtMs: null,
        pausedUntilMs: Number.NEGATIVE_INFINITY,
      };
      byId.set(id, entry);
      bySlot[slot] = entry;
      estimates.begin(slot, nowMs, remembered ?? meanRate());
      count(entry, 1);
      place(entry, nowMs);
    },
    remove(id) {
      const entry = byId.get(id);
      if (!entry) return;
      withdraw(entry);
      count(entry, -1);
      byId.delete(id);
      bySlot[entry.slot] = undefined;
      freeSlots.push(entry.slot);
    },
    next(nowMs, prefersNew = false) {
      while (paused.topKey() <= nowMs) {
        const rested = bySlot[paused.top()];
        if (rested) place(rested, nowMs);
      }
      const top = bySlot[order.top(nowMs)];
      const entry = prefersNew && top?.isNew ? top : (overdue(nowMs) ?? top);
      if (!entry) return undefined;
      order.delete(entry.slot);
      entry.takenAtMs = nowMs;
      return entry.id;
    },
    polled(id, nowMs, found) {
      const entry = byId.get(id);
      if (!entry) return;
      const atMs = entry.takenAtMs ?? nowMs;
      count(entry, -1);
      estimates.observe(entry.slot, atMs, found, meanRate());
      count(entry, 1);
      release(entry, atMs, nowMs);
    },
    failed(id, nowMs) {
      const entry = byId.get(id);
      if (entry) release(entry, entry.takenAtMs ?? nowMs, nowMs);
    },
    returned(id, nowMs) {
      const entry = byId.get(id);
      if (!entry || entry.takenAtMs === null) return;
      entry.takenAtMs = null;
      place(entry, nowMs);
    },
    expect(count) {
      expected = count;
    },
    isAmple,
    isOverdue: (nowMs) => overdue(nowMs) !== undefined,
    sent(id, nowMs) {
      const entry = byId.get(id);
      if (!entry) return;
      estimates.expectAnswer(entry.slot, nowMs);
      place(entry, nowMs);
    },
    pause(id, untilMs) {
      const entry = byId.get(id);
      if (!entry) return;
      entry.pausedUntilMs = untilMs;
      if (entry.takenAtMs !== null) return;
      withdraw(entry);
      paused.set(entry.slot, untilMs);
    },
    estimate(id) {
      const entry = byId.get(id);
      return entry && estimates.read(entry.slot);
    },
    size: () => byId.size,
    work: () => work.count,
  };
}

// A Clock whose time moves only when a test moves it.

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Clock, createSleep } from "../../src/core/clock.ts";
import { exchangesEnded } from "./exchanges.ts";

export interface FakeClock extends Clock {
  /** Moves both clocks by `ms`: each sleep that is due ends at its own time, in order, and its consequences settle. */
  advance(ms: number): Promise<void>;
  /** Moves both clocks at once, as if the event loop had been blocked: every due sleep ends late, together. */
  stall(ms: number): Promise<void>;
  /** Moves only the wall clock, also backwards: a clock step. */
  jump(ms: number): void;
  /** The machine sleeps: the wall clock and the uptime advance, and no sleep here does. */
  suspend(ms: number): void;
  /** Pending sleeps. */
  pending(): number;
  /** Lets promises and input/output on this machine settle without any time passing. */
  settle(): Promise<void>;
}

interface Sleeper {
  due: number;
  wake: () => void;
}

// Enough turns of the event loop for the effects of an exchange; promises alone would need one.
const SETTLING_TURNS = 10;

/** @param startMs wall time at the start, milliseconds since the Unix epoch; default 2026-01-01T00:00:00Z */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsed = 0;
  let wallOffset = startMs;
  let slept = 0;
  const sleepers = new Set<Sleeper>();

  // A Set keeps its order, so of two sleeps due at the same time the older one ends first.
  const nextDue = (until: number): Sleeper | undefined => {
    let first: Sleeper | undefined;
    for (const sleeper of sleepers)
      if (sleeper.due <= until && (!first || sleeper.due < first.due)) first = sleeper;
    return first;
  };
  const settle = async () => {
    do for (let turn = 0; turn < SETTLING_TURNS; turn++) await nextTurn();
    while (await exchangesEnded());
  };

  const after = (ms: number, callback: () => void) => {
    const sleeper: Sleeper = {
      due: elapsed + Math.max(0, ms),
      wake: () => {
        sleepers.delete(sleeper);
        callback();
      },
    };
    sleepers.add(sleeper);
    return () => void sleepers.delete(sleeper);
  };

  return {
    now: () => wallOffset + elapsed,
    monotonic: () => elapsed,
    uptime: () => elapsed + slept,
    after,
    sleep: createSleep(after),
    async advance(ms) {
      const target = elapsed + ms;
      await settle();
      for (let due = nextDue(target); due; due = nextDue(target)) {
        elapsed = Math.max(elapsed, due.due);
        due.wake();
        await settle();
      }
      elapsed = target;
      await settle();
    },
    async stall(ms) {
      elapsed += ms;
      for (const sleeper of [...sleepers])
        if (sleeper.due <= elapsed && sleepers.has(sleeper)) sleeper.wake();
      await settle();
    },
    jump(ms) {
      wallOffset += ms;
    },
    suspend(ms) {
      wallOffset += ms;
      slept += ms;
    },
    pending: () => sleepers.size,
    settle,
  };
}

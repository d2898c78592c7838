// Watches the clock: notices steps and sleeps, and stores the time for the next start.

import type { Logger } from "pino";
import type { Store } from "../contract/store.ts";
import { type Clock, readBootId } from "../core/clock.ts";
import { createSteadyClock, type SteadyClockKeeper } from "../core/steady-clock.ts";

/** Each machine of a fleet has a clock of its own. */
const sourceOf = ({ shared, fleet }: Pick<Store, "fleet" | "shared">) =>
  shared ? `clock:${fleet.node}` : "clock";
const LOOK_EVERY_MS = 1000;
/** After a loss of power, a clock that is behind by less is not noticed. */
const KEEP_EVERY_MS = 5 * 60_000;

/** @throws StoreError */
export async function recallSteadyClock(
  store: Pick<Store, "readCursor" | "fleet" | "shared">,
  clock: Clock,
  bootId = readBootId(),
): Promise<SteadyClockKeeper> {
  return createSteadyClock(clock, { stored: (await store.readCursor(sourceOf(store)))?.value, bootId });
}

/** Runs until the signal. Timers stand still while the machine sleeps: `onJump` makes waiters check again. */
export async function watchClock(options: {
  steady: SteadyClockKeeper;
  store: Pick<Store, "commitObservation" | "fleet" | "shared">;
  clock: Clock;
  log: Pick<Logger, "info" | "warn" | "debug">;
  onJump: () => void;
  signal: AbortSignal;
}): Promise<void> {
  const { steady, store, clock, log, onJump, signal } = options;
  // A database that accepts no commits is reported elsewhere.
  const keep = () =>
    store.commitObservation({ source: sourceOf(store), cursor: steady.state() }).catch(() => {});
  let keptAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const jump = steady.look();
    if (jump?.kind === "stepped")
      log.warn(
        { byMs: Math.round(jump.ms) },
        "the wall clock was stepped: nothing is removed or expires until it has been steady for 10 min",
      );
    else if (jump) log.info({ forMs: Math.round(jump.ms) }, "the machine was asleep");
    if (jump) onJump();
    if (jump || clock.monotonic() - keptAt >= KEEP_EVERY_MS) {
      keptAt = clock.monotonic();
      await keep();
    }
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
    if (signal.aborted) return void (await keep());
  }
}

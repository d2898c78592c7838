// A steady clock that checks after each jump, as the daemon's does every second.

import { createSteadyClock, type SteadyClockKeeper } from "../../src/core/steady-clock.ts";
import type { FakeClock } from "./fake-clock.ts";

export function watchedClock(clock: FakeClock): SteadyClockKeeper {
  const steady = createSteadyClock(clock);
  for (const move of ["jump", "suspend"] as const) {
    const moveUnseen = clock[move];
    clock[move] = (ms) => {
      steady.look();
      moveUnseen(ms);
      steady.look();
    };
  }
  return steady;
}

// Retries calls while the daemon restarts or is overloaded.

import { createBackoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { isPassing } from "./error.ts";

export interface Time {
  clock: Pick<Clock, "sleep" | "monotonic">;
  random: () => number;
}

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 2000;

/**
 * Calls until it succeeds or fails for good, waiting as long as a failure asks for.
 * @param forMs for how long; after that the last failure is thrown
 */
export async function patiently<T>(
  call: () => Promise<T>,
  { clock, random, forMs, signal }: Time & { forMs: number; signal?: AbortSignal | undefined },
): Promise<T> {
  const backoff = createBackoff(random, FIRST_DELAY_MS, LONGEST_DELAY_MS);
  const deadline = clock.monotonic() + forMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isPassing(error)) throw error;
      const delay = Math.max(backoff.next(), error.retryAfterMs ?? 0);
      if (clock.monotonic() + delay > deadline) throw error;
      await clock.sleep(delay, signal);
    }
  }
}

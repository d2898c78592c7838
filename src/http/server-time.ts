// The time on a server's clock, by the Date of its answers: what it stores goes by its clock, and ours may be wrong or
// jump.

import type { Clock } from "../core/clock.ts";
import { parseHttpDate } from "./retry-after.ts";

export interface ServerTime {
  /**
   * Milliseconds since the Unix epoch, never ahead of the server by more than a clock drifts between two answers:
   * behind by the transit of the last answer and up to a second, and by the time that this machine has slept since. Our
   * own time until the first answer with a Date.
   */
  now(): number;
  /** Whether an answer had a Date. */
  isKnown(): boolean;
  /** Records an answer that has just arrived; one without a Date, or with a broken one, changes nothing. */
  observe(headers: Record<string, string>): void;
}

export function createServerTime(clock: Clock): ServerTime {
  let known: { at: number; monotonic: number } | undefined;
  return {
    now: () => (known ? known.at + clock.monotonic() - known.monotonic : clock.now()),
    isKnown: () => known !== undefined,
    observe(headers) {
      const at = parseHttpDate(headers.date ?? "");
      if (!Number.isNaN(at)) known = { at, monotonic: clock.monotonic() };
    },
  };
}

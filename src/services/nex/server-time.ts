// The time as Nex has it, by the Date of its answers: its windows go by its clock, and ours may be wrong or jump.

import { parseHttpDate } from "../../http/retry-after.ts";
import type { Clock } from "../../scheduler/clock.ts";

export interface ServerTime {
  /**
   * Milliseconds since the Unix epoch, never ahead of Nex by more than a clock drifts between two answers: behind by
   * the way of the last answer and up to a second, and by the time that this machine slept since. Our own time until
   * the first answer.
   */
  now(): number;
  /** Takes note of an answer that has just come. */
  observe(headers: Record<string, string>): void;
}

export function createServerTime(clock: Clock): ServerTime {
  let known: { at: number; monotonic: number } | undefined;
  return {
    now: () => (known ? known.at + clock.monotonic() - known.monotonic : clock.now()),
    observe(headers) {
      const at = parseHttpDate(headers.date ?? "");
      if (!Number.isNaN(at)) known = { at, monotonic: clock.monotonic() };
    },
  };
}

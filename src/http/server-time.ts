// The time as a server has it, by the Date of its answers: what it stores goes by its clock, and ours may be wrong or
// jump.

import type { Clock } from "../core/clock.ts";
import { parseHttpDate } from "./retry-after.ts";

export interface ServerTime {
  /**
   * Milliseconds since the Unix epoch, never ahead of the server by more than a clock drifts between two answers:
   * behind by the way of the last answer and up to a second, and by the time that this machine slept since. Our own
   * time until the first answer that says it.
   */
  now(): number;
  /** Whether an answer has said it. */
  isKnown(): boolean;
  /** Takes note of an answer that has just come; one without a Date, or with a broken one, changes nothing. */
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

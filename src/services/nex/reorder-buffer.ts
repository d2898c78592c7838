// Replayed insights without id and time, kept until REST has returned the same ones in full.

import type { NewEvent } from "../../contract/new-event.ts";
import type { Clock } from "../../core/clock.ts";

/** REST can fail for a while; what is only in the replay is then reported after this time, whatever REST may add. */
const LONGEST_MS = 15 * 60_000;
const MOST = 1000;

/**
 * After an outage, a replay may say less of an insight than REST does. Such an insight counts as equal to any with the
 * same words, so it would hide another one with these words that REST has. Once REST has returned everything, it is not
 * needed; it is used as it is only if REST is unavailable.
 */
export interface ReorderBuffer {
  /** Keeps those that have to wait. @returns the others */
  sift(events: NewEvent[]): NewEvent[];
  /** All that are waiting, because REST will not return them. */
  release(): NewEvent[];
  /** Drops all that are waiting: REST has returned them. */
  drop(): void;
  /** All that have waited long enough. */
  overdue(): NewEvent[];
}

export function createReorderBuffer(clock: Clock): ReorderBuffer {
  let held: NewEvent[] = [];
  let since = 0;
  const release = () => {
    const released = held;
    held = [];
    return released;
  };
  return {
    sift(events) {
      if (held.length === 0) since = clock.monotonic();
      const others = events.filter((event) => !isVague(event));
      held.push(...events.filter(isVague));
      return held.length > MOST ? [...release(), ...others] : others;
    },
    release,
    drop: () => void release(),
    overdue: () => (clock.monotonic() - since >= LONGEST_MS ? release() : []),
  };
}

const isVague = ({ type, data }: NewEvent): boolean => {
  if (type !== "nex.insight.received" || typeof data.insight !== "object" || data.insight === null)
    return false;
  return !("id" in data.insight) && !("created_at" in data.insight);
};

// Replayed insights that tell neither an id nor a time, kept until REST has told the same ones in full.

import type { NewEvent } from "../../contract/new-event.ts";
import type { Clock } from "../../core/clock.ts";

/** REST can fail for a while; what is only in the replay is then told after so long, whatever REST may add. */
const LONGEST_MS = 15 * 60_000;
const MOST = 1000;

/**
 * After an outage a replay may say less of an insight than REST does. Such a one is known to be any of the same words,
 * so that it would hide another one of these words that REST has. Once REST has told all there is, it is needed no
 * more; only where REST cannot be had it is taken for what it is.
 */
export interface ReorderBuffer {
  /** Keeps those that are to wait. @returns the others */
  sift(events: NewEvent[]): NewEvent[];
  /** All that wait, where REST will not tell them. */
  release(): NewEvent[];
  /** Forgets all that wait: REST has told them. */
  drop(): void;
  /** All that wait, where they have waited long enough. */
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

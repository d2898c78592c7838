// Targets that several sinks wake, such as an agent of a gateway: at least its minimum interval passes between two
// wakes.

import type { Target } from "./kind.ts";

/** When the last wake of each lane went out, by the uptime of the machine; shared by all sinks. */
export type Lanes = Map<string, number>;

export interface Lane {
  /** When the next wake may go out. */
  freeAt(): number;
  note(wokenAt: number): void;
}

export const laneOf = ({ lane, leastIntervalMs = 0 }: Target, lanes: Lanes): Lane => ({
  freeAt() {
    const last = lane === undefined ? undefined : lanes.get(lane);
    return last === undefined ? Number.NEGATIVE_INFINITY : last + leastIntervalMs;
  },
  note(wokenAt) {
    if (lane !== undefined) lanes.set(lane, Math.max(wokenAt, lanes.get(lane) ?? wokenAt));
  },
});

// How much of the time an open stream covers, and when REST has to be asked because it may bring nothing.

import type { Clock } from "../../core/clock.ts";

const COVER_EVERY_MS = 30_000;
/** A stream without an insight so far may be broken: REST is asked this often. */
const UNPROVEN_EVERY_MS = 10 * 60_000;
/** More than any clock adjustment by steps too small to matter. */
const JUMP_MS = 2000;

export interface Coverage {
  /** A connection is open, which has proven nothing yet. @returns since when, by Nex's clock */
  opened(): number;
  /** Readable data arrived. */
  sign(): void;
  /** The connection has brought insights: until then only REST covers its time. */
  prove(): void;
  /** What is to be done now, on a stream that is live and missed nothing: ask REST, or note its last sign of life. */
  due(): "ask" | { until: number } | undefined;
}

/** @param now milliseconds since 1970 by Nex's clock */
export function createCoverage(clock: Pick<Clock, "monotonic">, now: () => number): Coverage {
  let lastSignAt = 0;
  let isProven = false;
  let askedAt = 0;
  let coveredAt = clock.monotonic();
  return {
    opened() {
      lastSignAt = now();
      isProven = false;
      askedAt = clock.monotonic();
      return lastSignAt;
    },
    sign() {
      lastSignAt = now();
    },
    prove() {
      isProven = true;
    },
    due() {
      if (clock.monotonic() - coveredAt < COVER_EVERY_MS) return undefined;
      coveredAt = clock.monotonic();
      if (isProven) return { until: lastSignAt };
      if (coveredAt - askedAt < UNPROVEN_EVERY_MS) return undefined;
      askedAt = coveredAt;
      return "ask";
    },
  };
}

/** @returns by how many milliseconds the wall clock jumped since it was asked last; undefined: it did not */
export function createJumps(clock: Pick<Clock, "monotonic" | "now">): () => number | undefined {
  let offset = clock.now() - clock.monotonic();
  return () => {
    const jumpMs = clock.now() - clock.monotonic() - offset;
    if (Math.abs(jumpMs) <= JUMP_MS) return undefined;
    offset += jumpMs;
    return Math.round(jumpMs);
  };
}

// What could not even be sent is tried again by itself, so that whoever waits for it has it soon after it can be.

import type { Clock } from "../../core/clock.ts";

const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** Of the time that has passed without success: nobody waits much longer than the service was away. */
const SHARE = 0.2;
/** Where nobody has asked for so long, nobody waits. */
const UNWANTED_AFTER_MS = 10 * 60_000;

export interface Pursuit {
  /** Somebody asks. */
  want(): void;
  /** It failed: goes on trying by itself, unless it does already. */
  begin(): void;
  /** It is had, or failed in a way that trying again cannot cure. @returns whether it was pursued */
  end(): boolean;
}

/** @param options.attempt calls `end` where it is over; never rejects */
export function createPursuit(options: {
  clock: Clock;
  random: () => number;
  attempt: () => Promise<void>;
  /** Ends it for good. */
  signal: AbortSignal;
}): Pursuit {
  const { clock, random, attempt } = options;
  let wantedAt = Number.NEGATIVE_INFINITY;
  let underWay: AbortController | undefined;

  const pursue = async (signal: AbortSignal) => {
    const since = clock.monotonic();
    while (clock.monotonic() - wantedAt < UNWANTED_AFTER_MS) {
      const share = (clock.monotonic() - since) * SHARE;
      const ceiling = Math.min(Math.max(share, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
      await clock.sleep(ceiling * (0.75 + random() / 4), signal);
      await attempt();
      if (signal.aborted) return;
    }
  };

  return {
    want() {
      wantedAt = clock.monotonic();
    },
    begin() {
      if (underWay) return;
      const own = new AbortController();
      underWay = own;
      pursue(AbortSignal.any([own.signal, options.signal]))
        .catch(() => {})
        .finally(() => {
          if (underWay === own) underWay = undefined;
        });
    },
    end() {
      const was = underWay !== undefined;
      underWay?.abort();
      underWay = undefined;
      return was;
    },
  };
}

// Tries again automatically what could not even be sent, so that waiters get it soon after it is possible.

import type { Clock } from "../../core/clock.ts";

const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** As a share of the time without success: no caller waits much longer than the service was unavailable. */
const SHARE = 0.2;
/** After this long without a request, no caller is waiting. */
const UNWANTED_AFTER_MS = 10 * 60_000;

export interface Pursuit {
  /** A caller wants it. */
  want(): void;
  /** It failed: keeps trying, unless it already does. */
  begin(): void;
  /** It succeeded, or failed in a way that retries cannot fix. @returns whether it was pursued */
  end(): boolean;
}

/** @param options.attempt calls `end` when it is over; never rejects */
export function createPursuit(options: {
  clock: Clock;
  random: () => number;
  attempt: () => Promise<void>;
  /** Stops it permanently. */
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

// How long to wait after a failure: doubling, bounded, and with jitter, so that many daemons do not come back together.

export interface Backoff {
  /** Milliseconds to wait after one more failure. */
  next(): number;
  reset(): void;
}

const BACKOFF_BASE_MS = 1000;
export const BACKOFF_CAP_MS = 5 * 60_000;

/** "Equal jitter": half of the delay is certain, so that a retry is never immediate, and half is random. */
export function createBackoff(
  random: () => number,
  baseMs = BACKOFF_BASE_MS,
  capMs = BACKOFF_CAP_MS,
): Backoff {
  let failures = 0;
  return {
    next() {
      const ceiling = Math.min(capMs, baseMs * 2 ** failures);
      failures += 1;
      return ceiling / 2 + random() * (ceiling / 2);
    },
    reset() {
      failures = 0;
    },
  };
}

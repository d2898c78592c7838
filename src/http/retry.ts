// Retries of reads: exponential backoff with full jitter, never earlier than the server asked for.

import pRetry from "p-retry";
import type { Clock } from "../core/clock.ts";
import type { Retry } from "./client.ts";
import { HttpError } from "./errors.ts";

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;

/**
 * A Retry whose n-th wait (from 0) is random up to 0.5 s · 2ⁿ, at most 30 s, and at least the server's Retry-After. It
 * fails with the last HttpError, immediately if the next attempt would start after the deadline; a running attempt is
 * not cut. If `signal` aborts, it rejects with `signal.reason`.
 * @param options.retries attempts after the first; default 4
 */
export const createRetry = (options: { clock: Clock; random: () => number; retries?: number }): Retry => {
  const { clock, random, retries = 4 } = options;
  return (attempt, { deadlineMs = Number.POSITIVE_INFINITY, signal } = {}) => {
    const deadline = clock.monotonic() + deadlineMs;
    return pRetry(() => attempt(), {
      retries,
      // p-retry only has real timers: it runs the loop, and the waiting is done on our clock.
      minTimeout: 0,
      ...(signal ? { signal } : {}),
      shouldRetry: async ({ error, retriesConsumed }) => {
        if (!(error instanceof HttpError && error.retryable)) return false;
        const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** retriesConsumed, LONGEST_BACKOFF_MS) * random();
        const waitMs = Math.max(backoffMs, error.retryAfterMs ?? 0);
        if (clock.monotonic() + waitMs > deadline) return false;
        await clock.sleep(waitMs, signal);
        return true;
      },
    });
  };
};

// Waits for something, but not forever. Requests have http/deadline.ts, which also aborts what it gives up.

import type { Clock } from "./clock.ts";

/**
 * The result of `work`, if it arrives within `ms` milliseconds and before the signal aborts; later work continues
 * unwatched.
 * @returns undefined: it was not done in time. Rejects if the work does so in time
 */
export async function within<T>(
  clock: Pick<Clock, "sleep">,
  ms: number,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<{ value: T } | undefined> {
  const done = new AbortController();
  const late = clock.sleep(ms, signal ? AbortSignal.any([done.signal, signal]) : done.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([work.then((value) => ({ value })), late]);
  } finally {
    done.abort();
  }
}

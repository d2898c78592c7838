// Time as a parameter: everything that waits or reads the time gets a Clock, so that tests run on a fake one.

export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. It may jump. */
  now(): number;
  /** Milliseconds since the machine was started, about: they never go back, also not over a restart of nexusd. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects with `signal.reason` as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

// A longer delay makes setTimeout fire at once (Node.js documentation, "timers").
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Both are of the same clock; performance.now() alone counts from the start of the process. */
const processStartMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => processStartMs + performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const end = performance.now() + ms;
      let timer: NodeJS.Timeout;
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const arm = () => {
        const left = end - performance.now();
        if (left > LONGEST_TIMER_MS) timer = setTimeout(arm, LONGEST_TIMER_MS);
        else
          timer = setTimeout(
            () => {
              signal?.removeEventListener("abort", onAbort);
              resolve();
            },
            Math.max(0, left),
          );
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      arm();
    }),
};

/** RFC 3339 UTC with milliseconds, the only time format that leaves nexusd. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();

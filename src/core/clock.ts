// Time as a parameter: everything that waits or reads the time gets a Clock, so that tests run on a fake one.

// Not imported: an import reads every export, and loads the module behind each. Small programs that wait all day use
// this file, too.
const { readFileSync } = process.getBuiltinModule("node:fs");
const { uptime } = process.getBuiltinModule("node:os");

export interface Clock {
  /** Wall time in milliseconds since the Unix epoch. It may be stepped; use steady-clock.ts for ages. */
  now(): number;
  /** Milliseconds since about the start of the machine: never goes back, not even across a restart of nexusd. */
  monotonic(): number;
  /** Milliseconds since the start of the machine, including sleep. Read from the system at each call. */
  uptime(): number;
  /** Calls back once, after `ms` milliseconds, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void;
  /** Resolves after `ms` milliseconds; rejects with `signal.reason` as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

// A longer delay makes setTimeout fire at once (Node.js documentation, "timers").
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

function readUptime(): number {
  try {
    return uptime() * 1000;
  } catch {
    // If the system does not tell, a sleep of the machine looks like a clock step.
    return monotonic();
  }
}

/** Identifies this start of the machine; empty if the system does not say. */
export function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

function after(ms: number, callback: () => void): () => void {
  if (ms <= LONGEST_TIMER_MS) {
    const timer = setTimeout(callback, Math.max(0, ms));
    return () => clearTimeout(timer);
  }
  let cancel = after(LONGEST_TIMER_MS, () => {
    cancel = after(ms - LONGEST_TIMER_MS, callback);
  });
  return () => cancel();
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  uptime: readUptime,
  after,
  sleep: createSleep(after),
};

/** The `sleep` of a clock, built on its `after`. */
export function createSleep(wakeAfter: Clock["after"]): Clock["sleep"] {
  return (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = wakeAfter(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
}

/** RFC 3339 UTC with milliseconds, the only time format that leaves nexusd. */
export function isoTime(ms: number): string {
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}
// Many are asked for the same millisecond, one after the other.
let last = { ms: 0, text: new Date(0).toISOString() };

// One life of a job, from its start to a stop, pause or reload: what the loops of the three kinds share.

import type { Clock } from "../core/clock.ts";
import type { JobContext } from "./job.ts";
import type { Supervision } from "./supervise.ts";

/** What a loop receives. */
export interface Life {
  context: JobContext;
  signal: AbortSignal;
  clock: Clock;
  supervision: Supervision;
  /** Sleeps; returns early, and never throws, when the life ends or something calls `wake`. */
  nap(ms: number): Promise<void>;
  wake(): void;
}

export interface Loop {
  /** Resolves once the life has ended and none of its work is running; never rejects. */
  run(): Promise<void>;
  /** Starts a run now, or returns the current one. */
  runNow?(): Promise<void>;
  /** Ends the wait after a failure, unless the service asked for it. */
  retryNow?(): void;
}

export function createNap(clock: Clock, signal: AbortSignal): Pick<Life, "nap" | "wake"> {
  let wake = () => {};
  signal.addEventListener("abort", () => wake(), { once: true });
  return {
    wake: () => wake(),
    nap: (ms) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        wake = () => {
          cancel();
          resolve();
        };
        const cancel = clock.after(ms, resolve);
      }),
  };
}

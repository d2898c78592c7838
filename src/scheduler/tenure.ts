// The lease of a job: a life begins once this node holds it, and ends when it is lost; then the next one waits for it.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Fleet } from "../contract/fleet.ts";
import type { Clock } from "../core/clock.ts";

/** After an error of the database; short, since a job must be back soon after it. */
const AGAIN_MS = 1000;

/** A stretch in which this node holds the job. */
export interface Tenure {
  /** Aborts when the lease is lost, or the job is to end. */
  signal: AbortSignal;
  /** Does something as part of the tenure: its commits are refused once the lease is lost. */
  within<T>(work: () => T): T;
}

/**
 * Begins a life whenever this node holds the job, until `ending` aborts.
 * @param live ends with the signal of the tenure, rejects if the database is away, or returns "over": there will be no
 *   other life
 */
export async function holdForGood(
  { fleet, resource, ending, clock }: { fleet: Fleet; resource: string; ending: AbortSignal; clock: Clock },
  live: (tenure: Tenure, isFirst: boolean) => Promise<"over" | undefined>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  for (let isFirst = true; !ending.aborted; isFirst = false) {
    try {
      const result = await fleet.hold(resource, ending, (lease) =>
        live(
          {
            signal: AbortSignal.any([ending, lease.signal]),
            within: AsyncLocalStorage.snapshot(),
          },
          isFirst,
        ),
      );
      if (result === "over") return;
    } catch (error) {
      if (ending.aborted) return;
      onFailure(error);
      await clock.sleep(AGAIN_MS, ending).catch(() => {});
    }
  }
}

// Counters of the services that nothing else keeps. They survive a reload, so that no counter falls.

import type { Counted } from "../contract/metric.ts";
import { REQUEST_OUTCOMES, type RequestOutcome } from "../http/outcome.ts";
import { SERVICE_NAMES, type ServiceName } from "./list.ts";

export interface Counts {
  /** How the requests to each service ended. */
  requests: Record<ServiceName, Record<RequestOutcome, number>>;
}

/** Seconds. */
export interface Histogram extends Counted {
  observe(seconds: number): void;
  /** What was observed since this was asked last, the newest of it, in seconds. */
  take(): number[];
}

const MOST_TAKEN = 1000;

export function createCounts(): Counts {
  const none = () =>
    // Every outcome is a key.
    Object.fromEntries(REQUEST_OUTCOMES.map((outcome) => [outcome, 0])) as Record<RequestOutcome, number>;
  return {
    // Every service is a key.
    requests: Object.fromEntries(SERVICE_NAMES.map((service) => [service, none()])) as Counts["requests"],
  };
}

/** Negative values, from clocks that disagree, count as 0; values that are not numbers are ignored. */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  let taken: number[] = [];
  return {
    bounds,
    counts,
    get sum() {
      return sum;
    },
    observe(seconds) {
      if (!Number.isFinite(seconds)) return;
      const value = Math.max(0, seconds);
      const found = bounds.findIndex((bound) => value <= bound);
      const bucket = found === -1 ? bounds.length : found;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      sum += value;
      if (taken.length >= MOST_TAKEN) taken.shift();
      taken.push(value);
    },
    take() {
      const all = taken;
      taken = [];
      return all;
    },
  };
}

// What is counted of the services while nexusd runs, where nothing else keeps it. Kept over a reload, so that no
// counter falls.

import { REQUEST_OUTCOMES, type RequestOutcome } from "../http/outcome.ts";
import { SERVICE_NAMES, type ServiceName } from "./list.ts";

export interface Counts {
  /** How the requests to each service ended. */
  requests: Record<ServiceName, Record<RequestOutcome, number>>;
  /** Seconds between two polls of a session: no message waited longer for the poll that brought it. */
  pollGaps: Histogram;
  /** Seconds from the making of an insight, by the service's clock, to its commit here, of those that came live. */
  insightDelays: Histogram;
}

/** Seconds in buckets, as Prometheus has them. */
export interface Histogram {
  /** Upper bounds, inclusive and ascending. */
  readonly bounds: readonly number[];
  /** How many were within each bound and above the one before it; the last is above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
  observe(seconds: number): void;
}

/** Up to `max_staleness` as it is by default, and far beyond it. */
const POLL_GAP_BOUNDS = [1, 2, 5, 10, 20, 30, 60, 90, 120, 300, 600];
/** Nex's clock is known to a second. */
const INSIGHT_DELAY_BOUNDS = [1, 2, 5, 10, 30, 60, 300, 1800];

export function createCounts(): Counts {
  const none = () =>
    // Every outcome is a key.
    Object.fromEntries(REQUEST_OUTCOMES.map((outcome) => [outcome, 0])) as Record<RequestOutcome, number>;
  return {
    // Every service is a key.
    requests: Object.fromEntries(SERVICE_NAMES.map((service) => [service, none()])) as Counts["requests"],
    pollGaps: createHistogram(POLL_GAP_BOUNDS),
    insightDelays: createHistogram(INSIGHT_DELAY_BOUNDS),
  };
}

/** What is below 0, by clocks that do not agree, counts as 0; what is no number, not at all. */
function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
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
    },
  };
}

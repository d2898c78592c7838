// Counters of the sinks while nexusd runs: they survive a reload, so that no counter falls.

import { createHistogram, type Histogram } from "../services/counts.ts";

/** `lost`: nexusd was stopped or the sink changed before the target had answered. */
export const WAKE_OUTCOMES = ["heard", "acknowledged", "refused", "lost"] as const;
export type WakeOutcome = (typeof WAKE_OUTCOMES)[number];

/** Seconds: from a second, where somebody waits for it, to a day. */
const BOUNDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400];
/** How many are kept for median and p99. */
const KEPT = 256;

export interface SinkFigures {
  outcomes: Record<WakeOutcome, number>;
  /** From the oldest event that an acknowledgement covers to the acknowledgement, in ms; the newest last. */
  delays: number[];
}

export interface Figures {
  of(sink: string): SinkFigures;
  /** Of all sinks together. */
  totals(): Record<WakeOutcome, number>;
  /** Of one more acknowledgement. */
  delayed(sink: string, ms: number): void;
  /** Of all sinks, in seconds. */
  readonly delays: Histogram;
}

export function createFigures(): Figures {
  const sinks = new Map<string, SinkFigures>();
  const histogram = createHistogram(BOUNDS);
  const of = (sink: string): SinkFigures => {
    const found = sinks.get(sink) ?? {
      outcomes: { heard: 0, acknowledged: 0, refused: 0, lost: 0 },
      delays: [],
    };
    sinks.set(sink, found);
    return found;
  };
  return {
    of,
    totals() {
      const sum = { heard: 0, acknowledged: 0, refused: 0, lost: 0 };
      for (const { outcomes } of sinks.values())
        for (const outcome of WAKE_OUTCOMES) sum[outcome] += outcomes[outcome];
      return sum;
    },
    delays: histogram,
    delayed(sink, ms) {
      const { delays } = of(sink);
      // The clock may have been put back meanwhile.
      delays.push(Math.max(0, ms));
      if (delays.length > KEPT) delays.shift();
      histogram.observe(ms / 1000);
    },
  };
}

/** The value below which this part of them is; null where there are none. */
export function quantile(values: readonly number[], part: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}

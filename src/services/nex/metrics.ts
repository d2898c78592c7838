// The metrics of Nex: the state of its stream, and how late insights arrive.

import { keysOf, type MetricOf, oneHot, seconds, single } from "../../contract/metric.ts";
import type { Histogram } from "../counts.ts";
import type { StreamStatus } from "./client.ts";
import type { StreamStateName } from "./stream-state.ts";

const STREAM_STATES = keysOf<StreamStateName>({
  ...{ connecting: true, live: true, recovering: true, polling: true, refused: true },
});

/** @param stream null: Nex is disabled */
export const nexMetrics = (
  stream: () => StreamStatus | null,
  insightDelays: Histogram,
): readonly MetricOf<number>[] => [
  {
    type: "gauge",
    name: "nexusd_nex_stream_state",
    help: "1 for the current state of the insight stream; none while nex is disabled.",
    labels: ["state"],
    samples() {
      const now = stream();
      return now === null ? [] : oneHot(STREAM_STATES, now.state);
    },
  },
  single(
    "gauge",
    "nexusd_nex_covered_until_timestamp_seconds",
    "Everything that Nex sent before this time is in the log or in a reported gap; by Nex's clock, in seconds since 1970.",
    () => seconds(stream()?.coveredUntil ?? null),
  ),
  {
    type: "histogram",
    name: "nexusd_nex_insight_delay_seconds",
    help: "Time from the creation of a live insight to its commit, by Nex's clock as its responses show it; may be up to one second too short.",
    labels: [],
    histogram: () => insightDelays,
  },
];

// Delivery to sinks. Their labels are the names from the configuration.

import type { SinkStatus } from "../../contract/api/sinks.ts";
import { ageSeconds, keysOf, oneHot } from "../../contract/metric.ts";
import { WAKE_OUTCOMES } from "../../sinks/figures.ts";
import type { Metric, Snapshot } from "./metric.ts";

const STATES = keysOf<SinkStatus["state"]>({ quiet: true, due: true, waiting: true, stuck: true });

const each = (name: string, help: string, read: (sink: SinkStatus, now: number) => number): Metric => ({
  ...{ type: "gauge", name, help, labels: ["sink"] },
  samples: ({ sinks, now }: Snapshot) =>
    sinks.map((sink) => ({ value: read(sink, now), labels: { sink: sink.name } })),
});

export const sinkMetrics: readonly Metric[] = [
  {
    type: "gauge",
    name: "nexusd_sink_state",
    help: "1 for the current state of the sink; stuck: nothing was acknowledged for stuck_after.",
    labels: ["sink", "state"],
    samples: ({ sinks }) => sinks.flatMap(({ name, state }) => oneHot(STATES, state, { sink: name })),
  },
  each("nexusd_sink_failing", "1 while the target refuses wakes.", ({ failing }) => (failing ? 1 : 0)),
  each(
    "nexusd_sink_paused",
    "1 while the sink is paused, by an operator or by its target.",
    ({ pausedBy }) => (pausedBy === null ? 0 : 1),
  ),
  {
    type: "counter",
    name: "nexusd_sink_wakes_total",
    help: "Wakes by outcome; heard does not mean that anybody read, acknowledged is a delivery, lost was in progress when nexusd stopped or the sink changed.",
    labels: ["sink", "outcome"],
    samples: ({ sinks, handedOver }) =>
      sinks.flatMap(({ name }) =>
        WAKE_OUTCOMES.map((outcome) => ({
          value: handedOver.of(name).outcomes[outcome],
          labels: { sink: name, outcome },
        })),
      ),
  },
  each(
    "nexusd_sink_pending_events",
    "Events that are not acknowledged, counted up to 1000.",
    ({ pending }) => pending,
  ),
  each(
    "nexusd_sink_oldest_pending_seconds",
    "The age of the oldest of them; 0: nothing is pending.",
    ({ oldestPendingAt }, now) => ageSeconds(oldestPendingAt, now),
  ),
  {
    type: "histogram",
    name: "nexusd_sink_acknowledgement_seconds",
    help: "From the oldest event that an acknowledgement covers to the acknowledgement, over all sinks.",
    labels: [],
    histogram: ({ handedOver }) => handedOver.delays,
  },
];

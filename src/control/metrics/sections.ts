// Every metric of nexusd, in output order, under the titles of docs/metrics.md.

import { jobMetrics } from "./jobs.ts";
import type { Metric } from "./metric.ts";
import { nodeMetrics } from "./nodes.ts";
import { processMetrics } from "./process.ts";
import { serviceMetrics } from "./services.ts";
import { sinkMetrics } from "./sinks.ts";
import { storeMetrics } from "./store.ts";

export interface Section {
  title: string;
  /** Applies to all of them. */
  note?: string;
  metrics: readonly Metric[];
  /** Whether the services' own metrics follow. */
  hasOwnOfServices?: true;
}

export const SECTIONS: readonly Section[] = [
  { title: "The process", metrics: processMetrics },
  { title: "The services", metrics: serviceMetrics, hasOwnOfServices: true },
  { title: "The jobs", metrics: jobMetrics },
  {
    title: "The sinks",
    note: "Sinks are told apart by the names that the configuration gives them.",
    metrics: sinkMetrics,
  },
  {
    title: "The fleet",
    note: "Without a fleet there is one node, which holds no leases.",
    metrics: nodeMetrics,
  },
  { title: "The log, the writes and the database", metrics: storeMetrics },
];

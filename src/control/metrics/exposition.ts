// The metrics as text, by prom-client. Loaded at the first scrape: most daemons are never asked.

import {
  Counter,
  Gauge,
  type Histogram as PromHistogram,
  Registry,
  type RegistryContentType,
} from "prom-client";
import { StoreError } from "../../contract/store.ts";
import type { ControlContext } from "../context.ts";
import { jobMetrics } from "./jobs.ts";
import type { Metric, Snapshot } from "./metric.ts";
import { processMetrics } from "./process.ts";
import { serviceMetrics } from "./services.ts";
import { storeMetrics } from "./store.ts";

const METRICS: readonly Metric[] = [...processMetrics, ...serviceMetrics, ...jobMetrics, ...storeMetrics];

/**
 * One scrape. What the database would say is left out while it cannot be read.
 * @param accept the header of the request: OpenMetrics where it names that, else Prometheus' own text
 */
export async function scrape(
  context: ControlContext,
  accept: string | undefined,
): Promise<{ contentType: string; text: string }> {
  const snapshot = await take(context);
  // A registry for this scrape alone: another one at the same time changes nothing in it, and what is gone is gone.
  const registry = new Registry<RegistryContentType>();
  if (accept?.includes("application/openmetrics-text"))
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const metric of METRICS) register(registry, metric, snapshot);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

async function take(context: ControlContext): Promise<Snapshot> {
  const { version, clock, store, scheduler, measured } = context;
  const [read, loopLagMs] = await Promise.all([
    Promise.all([store.readFigures(), store.countWrites()]).catch((error: unknown) => {
      if (error instanceof StoreError) return undefined;
      throw error;
    }),
    nextTurn(),
  ]);
  return {
    ...{ version, now: clock.now(), loopLagMs },
    services: context.services(),
    jobs: scheduler.list(),
    outcomes: scheduler.outcomes(),
    counts: measured.counts,
    droppedLogLines: measured.droppedLogLines(),
    budgets: measured.budgets(),
    stream: measured.stream(),
    quota: measured.quota(),
    sessions: measured.sessions(),
    isWritable: context.storeStatus().state === "ok",
    audit: context.audit.status(),
    store: read && { figures: read[0], writes: read[1] },
  };
}

const nextTurn = () =>
  new Promise<number>((resolve) => {
    const asked = performance.now();
    setImmediate(() => resolve(performance.now() - asked));
  });

function register(registry: Registry<RegistryContentType>, metric: Metric, snapshot: Snapshot): void {
  const { name, help, labels } = metric;
  if (metric.type === "histogram") {
    registry.registerMetric(counted(metric, snapshot));
    return;
  }
  const settings = { name, help, labelNames: [...labels], registers: [registry] };
  if (metric.type === "counter") {
    const counter = new Counter(settings);
    for (const sample of metric.samples(snapshot)) counter.inc(sample.labels ?? {}, sample.value);
    return;
  }
  const gauge = new Gauge(settings);
  // Without labels it begins at 0, which is not what is not known.
  if (labels.length === 0) gauge.remove();
  for (const sample of metric.samples(snapshot)) gauge.set(sample.labels ?? {}, sample.value);
}

/** Counted already, where prom-client's own histograms count themselves: as the registry asks for its values. */
function counted(metric: Metric & { type: "histogram" }, snapshot: Snapshot): PromHistogram {
  const { name, help, type } = metric;
  const { bounds, counts, sum } = metric.histogram(snapshot);
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    return { metricName: `${name}_bucket`, labels: { le: bounds[index] ?? "+Inf" }, value: total };
  });
  const values = [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: total },
  ];
  // All that a registry does with a metric is to read its name and this.
  return { name, get: async () => ({ name, help, type, values }) } as unknown as PromHistogram;
}

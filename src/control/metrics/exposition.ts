// All metrics at one scrape. Loaded at the first one: most daemons are never scraped.

import type { MetricOf } from "../../contract/metric.ts";
import { StoreError } from "../../contract/store.ts";
import type { ControlContext } from "../context.ts";
import type { Snapshot } from "./metric.ts";
import { SECTIONS } from "./sections.ts";
import { type Family, FORMATS, render } from "./text.ts";

/**
 * One scrape. Metrics from the database are left out while it cannot be read.
 * @param accept the header of the request: OpenMetrics if it asks for that, else Prometheus' own text format
 */
export async function scrape(
  context: ControlContext,
  accept: string | undefined,
): Promise<{ contentType: string; text: string }> {
  const snapshot = await take(context);
  const format = accept?.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
  const families = SECTIONS.flatMap(({ metrics, hasOwnOfServices }) => [
    ...metrics.map((metric) => familyOf(metric, snapshot)),
    ...(hasOwnOfServices ? context.measured.ofServices() : []).map((metric) =>
      familyOf(metric, snapshot.now),
    ),
  ]);
  return { contentType: FORMATS[format], text: render(families, format) };
}

async function take(context: ControlContext): Promise<Snapshot> {
  const { version, clock, store, scheduler, sinks, measured } = context;
  const [read, loopLagMs] = await Promise.all([
    Promise.all([store.readFigures(), store.countWrites(), sinks.list()]).catch((error: unknown) => {
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
    sinks: read?.[2] ?? [],
    fleet: context.fleet.view(),
    handedOver: measured.handedOver,
    counts: measured.counts,
    droppedLogLines: measured.droppedLogLines(),
    budgets: measured.budgets(),
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

function familyOf<S>(metric: MetricOf<S>, snapshot: S): Family {
  const { name, help } = metric;
  return metric.type === "histogram"
    ? { name, help, type: metric.type, histogram: metric.histogram(snapshot) }
    : { name, help, type: metric.type, samples: metric.samples(snapshot) };
}

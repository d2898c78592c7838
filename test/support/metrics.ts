// A control in which every metric has a value, and its scrape.

import { expect } from "vitest";
import type { Measured } from "../../src/control/metrics/metric.ts";
import type { Clock } from "../../src/core/clock.ts";
import { budgetFigures } from "../../src/daemon/services.ts";
import { createBudgets } from "../../src/http/budgets.ts";
import { createCounts, createHistogram } from "../../src/services/counts.ts";
import { POLL_GAP_BOUNDS } from "../../src/services/messaging/client.ts";
import { messagingMetrics } from "../../src/services/messaging/metrics.ts";
import { INSIGHT_DELAY_BOUNDS } from "../../src/services/nex/client.ts";
import { nexMetrics } from "../../src/services/nex/metrics.ts";
import { nexusMetrics } from "../../src/services/nexus/metrics.ts";
import { createFigures } from "../../src/sinks/figures.ts";
import { cronJob, okService, startTestControl, type TestControl } from "./control.ts";
import { type Family, parseExposition } from "./exposition.ts";
import { createFakeClock } from "./fake-clock.ts";
import { T0, t } from "./stored-write.ts";

export const scrape = async ({ get }: TestControl): Promise<Map<string, Family>> => {
  const { status, text, headers } = await get("/metrics");
  expect([status, headers["content-type"]]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  return parseExposition(text);
};

/** Services with every value known. */
export function everythingKnown(
  clock: Clock,
  histograms = {
    pollGaps: createHistogram(POLL_GAP_BOUNDS),
    insightDelays: createHistogram(INSIGHT_DELAY_BOUNDS),
  },
): Measured {
  const handedOver = createFigures();
  handedOver.of("agent").outcomes.heard = 4;
  handedOver.delayed("agent", 1700);
  const budgets = createBudgets({ clock });
  budgets.of("https://messaging.test", { limit: 3, reserve: 1 }, "messaging");
  budgets.of("https://nex.test texts", { limit: 10, reserve: 0 }, "nex");
  return {
    counts: createCounts(),
    handedOver,
    droppedLogLines: () => 12,
    budgets: () => budgetFigures(budgets),
    ofServices: () => [
      ...messagingMetrics(
        () => [
          { session: { state: "joined", joinedAt: t(-900) }, polledAtMs: Date.parse(t(-40)) },
          { session: { state: "joined", joinedAt: t(-900) }, polledAtMs: Date.parse(t(-5)) },
          { session: { state: "left", joinedAt: t(-9000) }, polledAtMs: Date.parse(t(-4000)) },
          { session: { state: "joined", joinedAt: t(-50) }, polledAtMs: Number.NaN },
        ],
        histograms.pollGaps,
      ),
      ...nexMetrics(
        () => ({
          ...{ state: "polling", since: null, failures: 4, nextAttemptAt: null },
          ...{ coveredUntil: T0, isMissing: false },
        }),
        histograms.insightDelays,
      ),
      ...nexusMetrics(() => ({
        ...{ plan: "p", limit: 1000, used: 400, remaining: 600, asOf: T0, isSlowed: true },
      })),
    ],
  };
}

/** A control on a clock stopped at T0, with every part of it known. */
export async function startKnown() {
  const clock = createFakeClock(Date.parse(T0));
  const control = await startTestControl({ clock, context: { measured: everythingKnown(clock) } });
  const { state } = control;
  state.services.messaging = { ...okService, state: "degraded", lastSuccessAt: t(-9) };
  state.jobs = [
    cronJob({ lastSuccessAt: t(-60), nextRunAt: t(-7), failures: 2, state: "failing" }),
    cronJob({ name: "retention", service: null, running: true, nextRunAt: t(-7), intervalMs: null }),
  ];
  state.sinks = [
    {
      ...{ name: "agent", kind: "exec", consumer: "agent", types: ["*"], state: "stuck", since: t(-700) },
      ...{ pausedBy: null, running: false, pending: 3, isMore: false, oldestPendingAt: t(-1300) },
      ...{ wakes: 4, acknowledged: 9, eventsPerWake: 2.25, lastWakeAt: t(-40), lastAcknowledgedAt: t(-1400) },
      acknowledgementMs: { last: 1700, median: 1700, p99: 1700 },
      ...{ nextWakeAt: t(260), failing: true, lastError: null },
    },
  ];
  state.outcomes.set("nexus-low-stock", { succeeded: 5, idle: 0, failed: 2, aborted: 1 });
  return { ...control, clock };
}

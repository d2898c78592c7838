// What the history is made of: the figures that the parts of the daemon have since they were asked last.

import type { Store } from "../contract/store.ts";
import type { BudgetFigures } from "../control/metrics/metric.ts";
import type { Clock } from "../core/clock.ts";
import { createHistory, type History } from "../history/history.ts";
import type { Figure } from "../history/steps.ts";
import type { Histogram } from "../services/counts.ts";
import type { RunningService } from "../services/module.ts";
import { type Figures, quantile, WAKE_OUTCOMES } from "../sinks/figures.ts";

/** What becomes of writes. */
const OUTCOMES = ["succeeded", "failed", "unknown", "rejected", "expired", "cancelled"] as const;

interface Parts {
  store: Store;
  clock: Clock;
  budgets: () => readonly BudgetFigures[];
  services: () => readonly Pick<RunningService, "delays">[];
  handedOver: Pick<Figures, "delays" | "totals">;
}

export function startHistory({ store, clock, ...parts }: Parts): History {
  return createHistory({ store, clock, measure: createMeasure({ store, ...parts }) });
}

function createMeasure({ store, budgets, services, handedOver }: Omit<Parts, "clock">) {
  /** What a counter has counted since it was asked last; the first time, since the start. */
  const counted = new Map<string, number>();
  const since = (name: string, now: number, before = 0): number => {
    const grown = Math.max(0, now - (counted.get(name) ?? before));
    counted.set(name, now);
    return grown;
  };
  /** Once for each, so that a size that is there already is no growth. */
  const grown = (name: string, now: number) => since(name, now, now);

  return async (): Promise<Figure[]> => {
    const { appended, latest, bytes } = await store.readFigures();
    const wakes = handedOver.totals();
    const delays = services().flatMap(({ delays = {} }) => Object.entries(delays));
    return [
      ...budgets().flatMap(({ server, service, used, limit }): Figure[] => {
        const of =
          budgets().filter((one) => one.server === server).length > 1 ? `${server} (${service})` : server;
        return [
          { kind: "budget.used", of, value: used },
          { kind: "budget.left", of, value: Math.max(0, limit - used) },
        ];
      }),
      ...[...delays, ["hand-over", handedOver.delays] as const].flatMap(([of, delay]) => delayed(of, delay)),
      ...WAKE_OUTCOMES.map((of): Figure => ({ kind: "wakes", of, value: since(`wakes:${of}`, wakes[of]) })),
      ...OUTCOMES.map(
        (of): Figure => ({
          ...{ kind: "writes", of },
          value: since(`writes:${of}`, appended[`nexusd.write.${of}`] ?? 0),
        }),
      ),
      { kind: "log.events", of: "", value: grown("events", latest) },
      { kind: "log.bytes", of: "", value: grown("bytes", bytes.database) },
    ];
  };
}

/** Nothing came: there is nothing to tell. */
function delayed(of: string, histogram: Pick<Histogram, "take">): Figure[] {
  const seconds = histogram.take();
  const median = quantile(seconds, 0.5);
  if (median === null) return [];
  return [
    { kind: "delay.median", of, value: inMs(median), weight: seconds.length },
    { kind: "delay.max", of, value: inMs(Math.max(...seconds)) },
  ];
}

const inMs = (seconds: number) => Math.round(seconds * 1000);

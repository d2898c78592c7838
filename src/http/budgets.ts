// The budgets of all servers, one per origin: kept across a reload, and by their ledgers across a restart.

import { join } from "node:path";
import type { Service } from "../contract/new-event.ts";
import type { Clock } from "../core/clock.ts";
import { createBudget, type RequestBudget } from "./budget.ts";
import { openLedger } from "./ledger.ts";
import type { BudgetLimits } from "./shares.ts";
import { batchSize } from "./sliding-window.ts";

export interface Budgets {
  /** The budget of a server, with these limits from now on; `service` is the first that asked for it. */
  of(origin: string, limits: BudgetLimits, service: Service): RequestBudget;
  /** All budgets. */
  list(): { origin: string; service: Service; budget: RequestBudget }[];
  close(): void;
}

const WINDOW_MS = 60_000;

/**
 * @param options.directory where the ledgers are; left out: usage is forgotten at the end
 * @param options.batch how many requests are counted together, by the limit; default: few enough
 * @param options.onFailure called about a ledger that cannot be read or written
 */
export function createBudgets(options: {
  clock: Clock;
  directory?: string;
  batch?: (limit: number) => number;
  onFailure?: (origin: string, error: unknown) => void;
}): Budgets {
  const { clock, directory, batch: sizeFor = batchSize, onFailure } = options;
  const budgets = new Map<string, { service: Service; budget: RequestBudget }>();
  return {
    of(origin, limits, service) {
      const known = budgets.get(origin)?.budget;
      if (known) {
        known.resize(limits);
        return known;
      }
      const batch = sizeFor(limits.limit);
      const ledger =
        directory === undefined
          ? undefined
          : openLedger({
              path: join(directory, encodeURIComponent(origin)),
              limit: limits.limit,
              batch,
              windowMs: WINDOW_MS,
              clock,
              onFailure: (error) => onFailure?.(origin, error),
            });
      const budget = createBudget({
        ...limits,
        windowMs: WINDOW_MS,
        clock,
        batch,
        ...(ledger ? { ledger } : {}),
      });
      budgets.set(origin, { service, budget });
      return budget;
    },
    list: () => [...budgets].map(([origin, entry]) => ({ origin, ...entry })),
    close() {
      for (const { budget } of budgets.values()) budget.close();
      budgets.clear();
    },
  };
}

// The budgets of all servers, one for each origin: kept over a reload, and by their ledgers over a restart.

import { join } from "node:path";
import type { Clock } from "../scheduler/clock.ts";
import { type BudgetLimits, createBudget, type RequestBudget } from "./budget.ts";
import { openLedger } from "./ledger.ts";

export interface Budgets {
  /** The budget of a server, from now on with these limits. */
  of(origin: string, limits: BudgetLimits): RequestBudget;
  close(): void;
}

const WINDOW_MS = 60_000;

/**
 * @param options.directory where the ledgers are; left out: what was spent is forgotten at the end
 * @param options.onFailure told of a ledger that cannot be read or written
 */
export function createBudgets(options: {
  clock: Clock;
  directory?: string;
  onFailure?: (origin: string, error: unknown) => void;
}): Budgets {
  const { clock, directory, onFailure } = options;
  const budgets = new Map<string, RequestBudget>();
  return {
    of(origin, limits) {
      const known = budgets.get(origin);
      if (known) {
        known.resize(limits);
        return known;
      }
      const ledger =
        directory === undefined
          ? undefined
          : openLedger({
              path: join(directory, encodeURIComponent(origin)),
              limit: limits.limit,
              windowMs: WINDOW_MS,
              clock,
              onFailure: (error) => onFailure?.(origin, error),
            });
      const budget = createBudget({ ...limits, windowMs: WINDOW_MS, clock, ...(ledger ? { ledger } : {}) });
      budgets.set(origin, budget);
      return budget;
    },
    close() {
      for (const budget of budgets.values()) budget.close();
      budgets.clear();
    },
  };
}

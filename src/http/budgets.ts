// The budgets of all servers, one per origin: kept across a reload, and by their ledgers across a restart.

import { join } from "node:path";
import type { Service } from "../contract/new-event.ts";
import type { SharedValues } from "../contract/shared-values.ts";
import { type Clock, readBootId } from "../core/clock.ts";
import { createBudget, type RequestBudget } from "./budget.ts";
import { openLedger } from "./ledger.ts";
import { createSharedPart } from "./shared-budget.ts";
import type { BudgetLimits } from "./shares.ts";
import { batchSize } from "./sliding-window.ts";

export interface Budgets {
  /**
   * The budget of a server, with these limits from now on; `service` is the first that asked for it.
   * @param egress the public address whose requests the server counts together; left out: it counts those of an account
   */
  of(origin: string, limits: BudgetLimits, service: Service, egress?: string): RequestBudget;
  /** All budgets. */
  list(): { origin: string; service: Service; budget: RequestBudget }[];
  /** Gives the slots of shared budgets back, as far as they are not in use. Never rejects. */
  leave(): Promise<void>;
  close(): void;
}

const WINDOW_MS = 60_000;

/**
 * @param options.directory where the ledgers are; left out: usage is forgotten at the end
 * @param options.fleet where the nodes of a fleet share their budgets, instead of ledgers of this machine's own
 * @param options.batch how many requests are counted together, by the limit; default: few enough
 * @param options.onFailure called about a ledger that cannot be read or written
 */
export function createBudgets(options: {
  clock: Clock;
  directory?: string;
  fleet?: {
    values: SharedValues;
    node: string;
    /** The start of this machine; default: Linux's boot id, elsewhere nothing. */
    boot?: string;
  };
  batch?: (limit: number) => number;
  /** @param error undefined: it works again */
  onFailure?: (origin: string, error: unknown) => void;
}): Budgets {
  const { clock, directory, fleet, batch: sizeFor = batchSize, onFailure } = options;
  const budgets = new Map<string, { service: Service; budget: RequestBudget }>();
  return {
    of(origin, limits, service, egress) {
      const name = fleet && egress !== undefined ? `${origin} from ${egress}` : origin;
      const known = budgets.get(name)?.budget;
      if (known) {
        known.resize(limits);
        return known;
      }
      const batch = sizeFor(limits.limit);
      const onFailed = (error: unknown) => onFailure?.(origin, error);
      const budget = createBudget({
        ...{ ...limits, windowMs: WINDOW_MS, clock, batch },
        ...(fleet && {
          share: (owner) =>
            createSharedPart(
              { boot: readBootId(), ...fleet, name, windowMs: WINDOW_MS, clock, onFailure: onFailed },
              owner,
            ),
        }),
        ...(directory !== undefined &&
          !fleet && {
            ledger: openLedger({
              path: join(directory, encodeURIComponent(origin)),
              ...{ limit: limits.limit, batch, windowMs: WINDOW_MS, clock, onFailure: onFailed },
            }),
          }),
      });
      budgets.set(name, { service, budget });
      return budget;
    },
    async leave() {
      await Promise.all([...budgets.values()].map(({ budget }) => budget.leave()));
    },
    list: () => [...budgets].map(([origin, entry]) => ({ origin, ...entry })),
    close() {
      for (const { budget } of budgets.values()) budget.close();
      budgets.clear();
    },
  };
}

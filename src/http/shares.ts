// Who goes first if a server accepts few requests, and how many each may have: people, then renewals of sessions and
// tokens, then watches and polls, then agents.
//
// A request counts for a whole window, so order alone is not enough: a burst of agents' requests into an idle budget
// would block everybody else for a minute. So each has a share of the window, depending on what the others use of it.

import { createSpent, type Spent } from "./sliding-window.ts";

/** In this order. An agent's write without a person's approval counts as the agent's. */
export const PRIORITIES = ["people", "renewals", "watches", "agent_reads", "agent_writes"] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface BudgetLimits {
  /** Requests that the server accepts in one window. */
  limit: number;
  /** Slots that only people and renewals may use; half of them also the first writes of agents. */
  reserve: number;
}

export interface Shares {
  /** Whether there is a slot for such a request, if `used` are in use in total. */
  hasPlace(priority: Priority, used: number): boolean;
  /** Slots that such requests use now. Usage from before the start belongs to nobody. */
  used(priority: Priority): number;
  /** When the next of those with a share stops counting; undefined: that depends on those in progress. */
  nextAt(): number | undefined;
  /** Records one that goes out; call the result once, at its end. */
  begin(priority: Priority): () => void;
  resize(limits: BudgetLimits): void;
}

/** Of the shared slots: what each kind of agents' requests may always have, and the watches as well. */
const LEAST_SHARE = 1 / 4;
/** Watches often run minutes apart: their use is remembered for this long, and up to twice that. */
const REMEMBERED_MS = 300_000;

export function createShares(options: {
  limits: BudgetLimits;
  size: number;
  windowMs: number;
  now: () => number;
}): Shares {
  const { size, windowMs, now } = options;
  let { limits } = options;
  const make = () => createSpent({ size, windowMs });
  const spent: Record<Priority, Spent> = {
    ...{ people: make(), renewals: make(), watches: make(), agent_reads: make(), agent_writes: make() },
  };
  /** People and renewals have no share of their own. */
  const shared = [spent.watches, spent.agent_reads, spent.agent_writes];
  const peak = createPeak();
  const used = (priority: Priority) => spent[priority].count(now());

  /** What agents' reads, or their writes, may have: half of what the others leave, but never nothing. */
  const agentsShare = (usedInAll: number): number => {
    const places = limits.limit - limits.reserve;
    const at = now();
    const first = usedInAll - shared.reduce((sum, each) => sum + each.count(at), 0);
    // Kept even while unused, since a slot that agents take is gone for a whole window.
    const kept = Math.max(places * LEAST_SHARE, peak.over(at)) + Math.max(limits.reserve / 2, first);
    return Math.max(1, Math.floor(places * LEAST_SHARE), Math.floor((places - kept) / 2));
  };

  return {
    used,
    hasPlace(priority, usedInAll) {
      const { limit, reserve } = limits;
      const isShared = usedInAll < limit - reserve;
      switch (priority) {
        case "people":
        case "renewals":
          return usedInAll < limit;
        case "watches":
          return isShared;
        case "agent_reads":
          return isShared && used(priority) < agentsShare(usedInAll);
        case "agent_writes": {
          // An occasional message must not wait for polls that use the whole budget.
          const isFirst = used(priority) < reserve / 2 && usedInAll < limit - Math.ceil(reserve / 2);
          return (isShared || isFirst) && used(priority) < agentsShare(usedInAll);
        }
      }
    },
    nextAt() {
      const at = now();
      const times = shared.flatMap((each) => {
        // What has ceased to count since is no time to come.
        each.count(at);
        return each.nextAt() ?? [];
      });
      return times.length === 0 ? undefined : Math.min(...times);
    },
    begin(priority) {
      const own = spent[priority];
      const begun = own.begin();
      if (priority === "watches") peak.note(now(), used(priority));
      return () => own.end(begun, now());
    },
    resize(changed) {
      limits = changed;
    },
  };
}

/** The greatest of the values that were noted lately. */
function createPeak() {
  let since = Number.NEGATIVE_INFINITY;
  let current = 0;
  let before = 0;
  const turn = (at: number) => {
    if (at < since + REMEMBERED_MS) return;
    before = at < since + 2 * REMEMBERED_MS ? current : 0;
    current = 0;
    since = at;
  };
  return {
    note(at: number, value: number) {
      turn(at);
      current = Math.max(current, value);
    },
    over(at: number) {
      turn(at);
      return Math.max(current, before);
    },
  };
}

// Who goes first where a server takes few requests, and how many of them each may have: people, then what keeps
// sessions and tokens alive, then the watches and polls, then agents.
//
// A request counts for a whole window, so order alone would not do: a burst of agents' requests into an idle budget
// would keep everybody else out for a minute. So each has a share of the window, weighed by what the others use of it.

import { createSpent, type Spent } from "./sliding-window.ts";

/** In this order. What an agent's write does without a person's approval is the agent's. */
export const PRIORITIES = ["people", "renewals", "watches", "agent_reads", "agent_writes"] as const;
export type Priority = (typeof PRIORITIES)[number];

export interface BudgetLimits {
  /** Requests that the server accepts in one window. */
  limit: number;
  /** Places that only people and renewals may use; half of them also the first writes of agents. */
  reserve: number;
}

export interface Shares {
  /** Whether there is a place for such a request, where `used` are taken in all. */
  hasPlace(priority: Priority, used: number): boolean;
  /** Places that such requests take now. What was spent before the start is nobody's. */
  used(priority: Priority): number;
  /** When the next of those that have a share ceases to count; undefined: that depends on those under way. */
  nextAt(): number | undefined;
  /** One goes out; what it gives is to be called once, at its end. */
  begin(priority: Priority): () => void;
  resize(limits: BudgetLimits): void;
}

/** Of the places that are shared: what each kind of agents' requests may always have, and the watches as well. */
const LEAST_SHARE = 1 / 4;
/** Watches often run minutes apart: so long their use is remembered, and up to twice that. */
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
    // Kept even while nobody uses it, since what agents take is gone for a whole window.
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
          // A message now and then must not wait for polls that take all there is.
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

// The rate budget of one server: every request to it passes through here, so the server never counts too many.

import type { Clock } from "../core/clock.ts";
import type { Ledger } from "./ledger.ts";
import type { Owner, SharedPart } from "./shared-budget.ts";
import { type BudgetLimits, createShares, PRIORITIES, type Priority } from "./shares.ts";
import { createSpent } from "./sliding-window.ts";

/** While both wait, this many watches go out before an agent does: so neither waits forever. */
const WATCHES_PER_AGENT = 3;

/** The right to send one request. */
export interface Lease {
  /** The exchange is over, whatever the result. Its slot is free again one window later. */
  done(): void;
  /** Whether so much time has passed since it was given that the request must not begin any more; left out: never. */
  isLate?(): boolean;
}

/** How much of a budget requests of one kind use. */
export interface Share {
  /** Slots in use now. */
  used: number;
  /** Callers that wait for their lease. */
  waiting: number;
  /** The total wait of all that no longer wait since the start, including those that gave up. */
  waitedMs: number;
}

export interface RequestBudget {
  readonly limit: number;
  readonly reserve: number;
  /** Callers that wait for their lease. */
  readonly waiting: number;
  /** How much of it each kind of request uses, and how long it waits. */
  shares(): Record<Priority, Share>;
  /** Slots in use: current exchanges and those that ended less than a window ago, and all that other nodes hold. */
  used(): number;
  /** How long nothing is sent from now on, in milliseconds, at the server's request. */
  quietMs(): number;
  /** Returns a lease if a request may go out at once, before any that waits for it. */
  tryAcquire(priority: Priority): Lease | undefined;
  /**
   * Resolves when a request may go out: by priority, each within its share (see shares.ts), and within a priority in
   * order of arrival. Rejects with `signal.reason` as soon as the signal aborts.
   */
  acquire(options: { priority: Priority; signal?: AbortSignal }): Promise<Lease>;
  /** Nothing is sent before `clock.monotonic()` has reached `atMs`; a later time extends it. */
  cooldownUntil(atMs: number): void;
  /** Applies new limits from now on; used budget stays used. @throws RangeError */
  resize(limits: BudgetLimits): void;
  close(): void;
  /** Gives back to other nodes what is not in use; nothing is sent from then on. Never rejects. */
  leave(): Promise<void>;
}

/**
 * A sliding window over `windowMs`; see sliding-window.ts for how long a request counts.
 * @param options.batch how many requests are counted together
 * @param options.ledger what was used before the start, and where usage is stored
 * @param options.share makes this node's part of a budget that others use, too
 * @throws RangeError for a reserve that leaves nothing
 */
export function createBudget(
  options: BudgetLimits & {
    windowMs?: number;
    clock: Clock;
    batch?: number;
    ledger?: Ledger;
    share?: (owner: Owner) => SharedPart;
  },
): RequestBudget {
  const { windowMs = 60_000, clock, batch = 1, ledger } = options;
  let { limit, reserve } = checked(options);

  // Sets keep the order of arrival and allow a waiter to leave from the middle.
  const queues: Record<Priority, Set<() => void>> = {
    ...{ people: new Set(), renewals: new Set(), watches: new Set() },
    ...{ agent_reads: new Set(), agent_writes: new Set() },
  };
  const spent = createSpent({ size: batch, windowMs, ...(ledger && { ledger }) });
  const shares = createShares({ limits: { limit, reserve }, size: batch, windowMs, now: clock.monotonic });
  let quietUntil = ledger?.quietUntil ?? Number.NEGATIVE_INFINITY;
  let alarm: { at: number; off: () => void } | undefined;
  /** Watches that went out since an agent's request did, while one waited. */
  let watchesBefore = 0;

  const waitedMs: Record<Priority, number> = {
    ...{ people: 0, renewals: 0, watches: 0, agent_reads: 0, agent_writes: 0 },
  };

  const own = () => spent.count(clock.monotonic());
  const used = () => (shared ? own() + shared.others() : own());
  const waiting = () => PRIORITIES.reduce((sum, priority) => sum + queues[priority].size, 0);
  const hasPlace = (priority: Priority) => (!shared || shared.hasSlot()) && shares.hasPlace(priority, used());
  const isQuiet = () => clock.monotonic() < quietUntil;

  /** In the order in which they may go now: agents after the watches, except for their turn. */
  const inOrder = (): Priority[] => {
    const agents: Priority[] = ["agent_reads", "agent_writes"];
    agents.sort((a, b) => shares.used(a) - shares.used(b));
    const isAgentsTurn = watchesBefore >= WATCHES_PER_AGENT;
    return [
      "people",
      "renewals",
      ...(isAgentsTurn ? agents : []),
      "watches",
      ...(isAgentsTurn ? [] : agents),
    ];
  };

  const grantOne = (): boolean => {
    for (const priority of inOrder()) {
      const [go] = queues[priority];
      if (!go || !hasPlace(priority)) continue;
      queues[priority].delete(go);
      if (priority === "watches" && queues.agent_reads.size + queues.agent_writes.size > 0)
        watchesBefore += 1;
      if (priority === "agent_reads" || priority === "agent_writes") watchesBefore = 0;
      go();
      return true;
    }
    return false;
  };

  /** Grants what can be granted, and sets a timer for the next time when more can be. */
  const advance = () => {
    if (waiting() === 0) return setAlarm(undefined);
    const quiet = isQuiet();
    if (!quiet) {
      while (waiting() > 0 && grantOne());
      if (waiting() > 0) shared?.ask();
    }
    setAlarm(waiting() === 0 ? undefined : quiet ? quietUntil : nextAt());
  };

  /** When the next slot is free, of all or of a share. */
  const nextAt = (): number | undefined => {
    used();
    const times = [spent.nextAt(), shares.nextAt()].filter((at) => at !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  };

  const setAlarm = (at: number | undefined) => {
    if (alarm?.at === at) return;
    alarm?.off();
    const ring = () => {
      alarm = undefined;
      advance();
    };
    alarm = at === undefined ? undefined : { at, off: clock.after(at - clock.monotonic(), ring) };
  };

  const createLease = (priority: Priority): Lease => {
    const begun = spent.begin();
    const endShare = shares.begin(priority);
    shared?.began();
    let isOver = false;
    const isLate = shared?.lateness();
    return {
      ...(isLate && { isLate }),
      done() {
        if (isOver) return;
        isOver = true;
        spent.end(begun, clock.monotonic());
        endShare();
        shared?.ended();
        advance();
      },
    };
  };

  const shareOf = (priority: Priority): Share => ({
    used: shares.used(priority),
    waiting: queues[priority].size,
    waitedMs: waitedMs[priority],
  });

  const beQuiet = (untilMs: number) => {
    quietUntil = Math.max(quietUntil, untilMs);
    advance();
  };

  const shared = options.share?.({
    limits: () => ({ limit, reserve }),
    count: own,
    ended: spent.ended,
    waiting: () => ({
      people: queues.people.size,
      renewals: queues.renewals.size,
      watches: queues.watches.size,
      agent_reads: queues.agent_reads.size,
      agent_writes: queues.agent_writes.size,
    }),
    advance,
    quiet: beQuiet,
  });

  const isBehindOthers = (priority: Priority) =>
    PRIORITIES.slice(0, PRIORITIES.indexOf(priority) + 1).some((each) => queues[each].size > 0);

  return {
    get limit() {
      return limit;
    },
    get reserve() {
      return reserve;
    },
    get waiting() {
      return waiting();
    },
    used,
    shares: () => ({
      people: shareOf("people"),
      renewals: shareOf("renewals"),
      watches: shareOf("watches"),
      agent_reads: shareOf("agent_reads"),
      agent_writes: shareOf("agent_writes"),
    }),
    quietMs: () => Math.max(0, quietUntil - clock.monotonic()),
    tryAcquire(priority) {
      const isBehind = waiting() > 0 && isBehindOthers(priority);
      return isBehind || isQuiet() || !hasPlace(priority) ? undefined : createLease(priority);
    },
    acquire: ({ priority, signal }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const since = clock.monotonic();
        const endWait = () => {
          waitedMs[priority] += clock.monotonic() - since;
        };
        const leave = () => {
          endWait();
          queues[priority].delete(go);
          reject(signal?.reason);
          advance();
        };
        const go = () => {
          endWait();
          signal?.removeEventListener("abort", leave);
          resolve(createLease(priority));
        };
        signal?.addEventListener("abort", leave, { once: true });
        queues[priority].add(go);
        advance();
      }),
    cooldownUntil(atMs) {
      if (atMs <= quietUntil) return;
      beQuiet(atMs);
      ledger?.writeQuiet(atMs);
      shared?.quiet(atMs);
    },
    resize(limits) {
      ({ limit, reserve } = checked(limits));
      shares.resize({ limit, reserve });
      advance();
    },
    close: () => ledger?.close(),
    leave: async () => shared?.leave(),
  };
}

function checked({ limit, reserve }: BudgetLimits): BudgetLimits {
  if (!(reserve >= 0 && reserve < limit)) throw new RangeError("a budget needs 0 <= reserve < limit");
  return { limit, reserve };
}

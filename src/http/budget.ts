// The rate budget of one server: whoever sends it a request passes through here, so that it never counts too many.

import type { Clock } from "../scheduler/clock.ts";
import type { Ledger } from "./ledger.ts";
import { createSpent } from "./spent.ts";

export type Priority = "normal" | "reserved";

export interface BudgetLimits {
  /** Requests that the server accepts in one window. */
  limit: number;
  /** Places that only `reserved` callers may use: `normal` ones go out below `limit - reserve`. */
  reserve: number;
}

/** The right to send one request. */
export interface Lease {
  /** The exchange is over, however it ended. Its place is free again one window later. */
  done(): void;
}

export interface RequestBudget {
  readonly limit: number;
  readonly reserve: number;
  /** Callers that wait for their lease. */
  readonly waiting: number;
  /** Places taken now: exchanges under way and those that ended less than a window ago. */
  used(): number;
  /** How long nobody goes out from now on, in milliseconds: the server asked for it. */
  quietMs(): number;
  /** A lease where a request may go out at once, before none that waits for it. */
  tryAcquire(priority: Priority): Lease | undefined;
  /**
   * Resolves when a request may go out: in order of arrival, `reserved` before `normal`. Rejects with
   * `signal.reason` as soon as the signal aborts.
   */
  acquire(options: { priority: Priority; signal?: AbortSignal }): Promise<Lease>;
  /** Nobody goes out before `clock.monotonic()` has reached `atMs`; a later time than before extends it. */
  cooldownUntil(atMs: number): void;
  /** From now on with these limits; what was spent stays spent. @throws RangeError */
  resize(limits: BudgetLimits): void;
  close(): void;
}

/**
 * A sliding window over `windowMs`; see spent.ts for how long a request counts.
 * @param options.batch how many requests are kept together
 * @param options.ledger what was spent before the start, and where it is written down
 * @throws RangeError for a reserve that leaves nothing
 */
export function createBudget(
  options: BudgetLimits & { windowMs?: number; clock: Clock; batch?: number; ledger?: Ledger },
): RequestBudget {
  const { windowMs = 60_000, clock, batch = 1, ledger } = options;
  let { limit, reserve } = checked(options);

  // Sets keep the order of arrival and let a waiter leave from the middle.
  const queues: Record<Priority, Set<() => void>> = { reserved: new Set(), normal: new Set() };
  const spent = createSpent({ size: batch, windowMs, ...(ledger && { ledger }) });
  let quietUntil = ledger?.quietUntil ?? Number.NEGATIVE_INFINITY;
  let alarm: { at: number; off: () => void } | undefined;

  const used = () => spent.count(clock.monotonic());
  const waiting = () => queues.reserved.size + queues.normal.size;
  const hasPlace = (priority: Priority) => used() < (priority === "reserved" ? limit : limit - reserve);
  const isQuiet = () => clock.monotonic() < quietUntil;

  const grant = (priority: Priority) => {
    for (const go of queues[priority]) {
      if (!hasPlace(priority)) return;
      queues[priority].delete(go);
      go();
    }
  };

  /** Grants what can be granted, and sets the alarm for the next time when more can be. */
  const advance = () => {
    if (waiting() === 0) return setAlarm(undefined);
    const quiet = isQuiet();
    if (!quiet) {
      // A reserved caller waits only while every place is taken, so a normal one cannot pass it.
      grant("reserved");
      grant("normal");
    }
    setAlarm(waiting() === 0 ? undefined : quiet ? quietUntil : spent.nextAt());
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

  const createLease = (): Lease => {
    const begun = spent.begin();
    let isOver = false;
    return {
      done() {
        if (isOver) return;
        isOver = true;
        spent.end(begun, clock.monotonic());
        advance();
      },
    };
  };

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
    quietMs: () => Math.max(0, quietUntil - clock.monotonic()),
    tryAcquire(priority) {
      const isBehind = queues.reserved.size > 0 || (priority === "normal" && queues.normal.size > 0);
      return isBehind || isQuiet() || !hasPlace(priority) ? undefined : createLease();
    },
    acquire: ({ priority, signal }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const leave = () => {
          queues[priority].delete(go);
          reject(signal?.reason);
          advance();
        };
        const go = () => {
          signal?.removeEventListener("abort", leave);
          resolve(createLease());
        };
        signal?.addEventListener("abort", leave, { once: true });
        queues[priority].add(go);
        advance();
      }),
    cooldownUntil(atMs) {
      if (atMs <= quietUntil) return;
      quietUntil = atMs;
      ledger?.writeQuiet(atMs);
      advance();
    },
    resize(limits) {
      ({ limit, reserve } = checked(limits));
      advance();
    },
    close: () => ledger?.close(),
  };
}

function checked({ limit, reserve }: BudgetLimits): BudgetLimits {
  if (!(reserve >= 0 && reserve < limit)) throw new RangeError("a budget needs 0 <= reserve < limit");
  return { limit, reserve };
}

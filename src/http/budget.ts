// The rate budget of one server: whoever sends it a request passes through here, so that it never counts too many.

import type { Clock } from "../scheduler/clock.ts";

export type Priority = "normal" | "reserved";

/** The right to send one request. */
interface Lease {
  /** The exchange is over, however it ended. Its place is free again one window later. */
  done(): void;
}

export interface RequestBudget {
  /** Requests that the server accepts in one window. */
  readonly limit: number;
  /** Callers that wait for their lease. */
  readonly waiting: number;
  /** Places taken now: exchanges under way and those that ended less than a window ago. */
  used(): number;
  /**
   * Resolves when a request may go out: in order of arrival, `reserved` before `normal`. Rejects with
   * `signal.reason` as soon as the signal aborts.
   */
  acquire(options: { priority: Priority; signal?: AbortSignal }): Promise<Lease>;
  /** Nobody goes out before `clock.monotonic()` has reached `atMs`; a later time than before extends it. */
  cooldownUntil(atMs: number): void;
}

/**
 * A sliding window over `windowMs`. A server counts a request at some time between its start and its end, which is
 * not known here, so a place stays taken from the start until one window after the end: no window can then hold
 * more than `limit` arrivals, however long a request takes.
 * @param options.reserve places that only `reserved` callers may use: `normal` ones go out below `limit - reserve`
 */
export function createBudget(options: {
  limit: number;
  reserve: number;
  windowMs?: number;
  clock: Clock;
}): RequestBudget {
  const { limit, reserve, windowMs = 60_000, clock } = options;
  if (!(reserve >= 0 && reserve < limit)) throw new RangeError("a budget needs 0 <= reserve < limit");

  // Sets keep the order of arrival and let a waiter leave from the middle.
  const queues: Record<Priority, Set<() => void>> = { reserved: new Set(), normal: new Set() };
  const ends: number[] = [];
  let underWay = 0;
  let quietUntil = Number.NEGATIVE_INFINITY;
  let alarm: { at: number; off: AbortController } | undefined;

  const used = () => {
    const now = clock.monotonic();
    while (ends[0] !== undefined && ends[0] + windowMs <= now) ends.shift();
    return underWay + ends.length;
  };
  const waiting = () => queues.reserved.size + queues.normal.size;

  const grant = (priority: Priority) => {
    const places = priority === "reserved" ? limit : limit - reserve;
    for (const go of queues[priority]) {
      if (used() >= places) return;
      queues[priority].delete(go);
      underWay++;
      go();
    }
  };

  /** Grants what can be granted, and sets the alarm for the next time when more can be. */
  const advance = () => {
    const quiet = clock.monotonic() < quietUntil;
    if (!quiet) {
      // A reserved caller waits only while every place is taken, so a normal one cannot pass it.
      grant("reserved");
      grant("normal");
    }
    const oldest = ends[0];
    const at = quiet ? quietUntil : oldest === undefined ? undefined : oldest + windowMs;
    setAlarm(waiting() > 0 ? at : undefined);
  };

  const setAlarm = (at: number | undefined) => {
    if (alarm?.at === at) return;
    alarm?.off.abort();
    alarm = undefined;
    if (at === undefined) return;
    const set = { at, off: new AbortController() };
    alarm = set;
    clock.sleep(at - clock.monotonic(), set.off.signal).then(
      () => {
        if (alarm === set) alarm = undefined;
        advance();
      },
      () => {},
    );
  };

  const createLease = (): Lease => {
    let isOver = false;
    return {
      done() {
        if (isOver) return;
        isOver = true;
        underWay--;
        ends.push(clock.monotonic());
        advance();
      },
    };
  };

  return {
    limit,
    get waiting() {
      return waiting();
    },
    used,
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
      quietUntil = Math.max(quietUntil, atMs);
      advance();
    },
  };
}

// The executor of a fleet: it lives on one node at a time, as long as that holds the lease. What an earlier holder left
// in the middle is treated as after a crash.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Lease } from "../contract/fleet.ts";
import { EXECUTOR_LEASE } from "../contract/leases.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import type { Executor } from "./executor.ts";

/** How long an approval on another node waits at most, if its notification is lost. */
const LOOK_EVERY_MS = 1000;
/** No more often than this, however fast the log grows. */
const LOOK_AFTER_MS = 50;
const AGAIN_MS = 1000;
/** When the lease is given away; if it is lost, nothing may go on. */
const GRACE_MS = 3000;

/** For the way of the first byte from here to the service. */
const MARGIN_MS = 500;

/** @param create called for each stretch; `mayBegin` says whether no other node can execute writes yet */
export function createHeldExecutor(
  { store, clock, log }: { store: Store; clock: Clock; log: { warn(fields: object, text: string): void } },
  create: (mayBegin?: () => boolean) => Executor,
): Executor {
  const { fleet, shared } = store;
  if (!shared) return create();
  const closing = new AbortController();
  let graceMs = GRACE_MS;
  let current: { executor: Executor; within: <T>(work: () => T) => T } | undefined;
  let living: Promise<void> = Promise.resolve();

  const live = async (lease: Lease) => {
    const isCertain = () => lease.heldUntil() > clock.monotonic();
    const executor = create(() => lease.heldUntil() > clock.monotonic() + MARGIN_MS);
    // Whoever wakes it does so outside of the lease, under which its commits must be.
    current = { executor, within: AsyncLocalStorage.snapshot() };
    const ending = AbortSignal.any([lease.signal, closing.signal]);
    try {
      await shared.look();
      await executor.start();
      await lookForApproved(executor, ending);
    } finally {
      current = undefined;
      await executor.stop(isCertain() ? graceMs : 0);
    }
  };

  const lookForApproved = async (executor: Executor, ending: AbortSignal) => {
    let onNews = () => {};
    const forget = store.onAppend(() => onNews());
    try {
      while (!ending.aborted) {
        const isNews = new Promise<void>((resolve) => {
          onNews = resolve;
        });
        // While the database is away, what is under way may still end; the lease says when it must.
        const counts = await store.countWrites().catch(() => undefined);
        if (counts && counts.approved > 0) executor.wake();
        await clock.sleep(LOOK_AFTER_MS, ending);
        const waited = new AbortController();
        await Promise.race([isNews, clock.sleep(LOOK_EVERY_MS, AbortSignal.any([ending, waited.signal]))]);
        waited.abort();
      }
    } catch (error) {
      if (!ending.aborted) throw error;
    } finally {
      forget();
    }
  };

  const liveForGood = async () => {
    while (!closing.signal.aborted) {
      try {
        await fleet.hold(EXECUTOR_LEASE, closing.signal, live);
      } catch (error) {
        if (closing.signal.aborted) return;
        log.warn({ err: error }, "writes are not executed now; nexusd tries again");
        await clock.sleep(AGAIN_MS, closing.signal).catch(() => {});
      }
    }
  };

  return {
    async start() {
      living = liveForGood();
    },
    wake: () => current?.within(() => current?.executor.wake()),
    retryNow: (service) => current?.within(() => current?.executor.retryNow(service)),
    async stop(withinMs) {
      graceMs = withinMs;
      closing.abort();
      await living;
    },
  };
}

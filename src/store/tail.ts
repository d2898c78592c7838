// The end of the log: any number of readers wait for new events on one subscription.

import type { EventPage, EventQuery, Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";

/** `appended`: the log has grown; `elapsed`: the time is up; `closed`: nobody waits any more. */
type WaitOutcome = "appended" | "elapsed" | "closed";

export interface Tail {
  /**
   * Resolves as soon as the log is longer than `latest`, after `ms`, or when the signal aborts or the tail closes.
   * Never rejects. Does not miss an append between the read that returned `latest` and this call.
   */
  wait(latest: number, ms: number, signal?: AbortSignal): Promise<WaitOutcome>;
  /**
   * The page after `query.after`. If it is empty, waits up to `ms` for the first page with an event or a gap, then
   * returns the empty page. Beyond the end of the log there is nothing to wait for, so it returns at once.
   * @throws StoreError
   */
  read(query: EventQuery, ms: number, signal?: AbortSignal): Promise<EventPage>;
  /** Ends every wait, now and later. */
  close(): void;
}

/** @param signal closes the tail when it aborts */
export function followLog(options: { store: Store; clock: Clock; signal: AbortSignal }): Tail {
  const { store, clock } = options;
  const waiters = new Set<{ latest: number; settle(outcome: WaitOutcome): void }>();
  let newest = 0;
  let isClosed = false;

  const unsubscribe = store.onAppend((latest) => {
    newest = latest;
    for (const waiter of waiters) if (waiter.latest < latest) waiter.settle("appended");
  });

  const close = () => {
    isClosed = true;
    unsubscribe();
    options.signal.removeEventListener("abort", close);
    for (const waiter of waiters) waiter.settle("closed");
  };
  if (options.signal.aborted) close();
  else options.signal.addEventListener("abort", close, { once: true });

  const wait: Tail["wait"] = (latest, ms, signal) =>
    new Promise((resolve) => {
      if (isClosed || signal?.aborted) return resolve("closed");
      if (newest > latest) return resolve("appended");
      if (ms <= 0) return resolve("elapsed");

      const timer = new AbortController();
      const onAbort = () => waiter.settle("closed");
      const waiter = {
        latest,
        settle(outcome: WaitOutcome) {
          if (!waiters.delete(waiter)) return;
          signal?.removeEventListener("abort", onAbort);
          timer.abort();
          resolve(outcome);
        },
      };
      waiters.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
      clock.sleep(ms, timer.signal).then(
        () => waiter.settle("elapsed"),
        () => waiter.settle("closed"),
      );
    });

  const read: Tail["read"] = async (query, ms, signal) => {
    const deadline = clock.monotonic() + ms;
    let page = await store.readEvents(query);
    while (page.events.length === 0 && page.gap === null && query.after <= page.latest) {
      const left = deadline - clock.monotonic();
      if ((await wait(page.latest, left, signal)) !== "appended") break;
      // Skips what did not match, so that the next look costs only what is new.
      page = await store.readEvents({ ...query, after: page.next });
    }
    return page;
  };

  return { wait, read, close };
}

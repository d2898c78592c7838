// Watches the consumers that a client follows, with one long poll each; others cost nothing.

import type { Client } from "../client/client.ts";
import { isPassing } from "../client/error.ts";
import { createBackoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";

export interface Watch {
  /** From now on `onNews` is called for this consumer. `follower` names the subscription. */
  follow(consumer: string, follower: string): void;
  unfollow(consumer: string, follower: string): void;
  /** Ends all subscriptions of this name. */
  unfollowAll(follower: string): void;
  close(): void;
}

const LONGEST_WAIT_MS = 60_000;
/** A burst of events is one notification. */
const SETTLE_MS = 1000;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;

export function createWatch(options: {
  client: Client;
  clock: Pick<Clock, "sleep">;
  random: () => number;
  onNews(consumer: string): void;
}): Watch {
  const { client, clock, random, onNews } = options;
  const followed = new Map<string, { followers: Set<string>; stop: AbortController }>();

  const watch = async (name: string, signal: AbortSignal): Promise<void> => {
    const backoff = createBackoff(random, FIRST_DELAY_MS, LONGEST_DELAY_MS);
    let seen: number | undefined;
    while (!signal.aborted) {
      try {
        const found = await client.consumers.get(name, {
          ...(seen !== undefined && { waitMs: LONGEST_WAIT_MS, after: seen }),
          signal,
        });
        const newest = Math.max(found?.position ?? 0, found?.pending.newest ?? 0);
        const isNews = seen !== undefined && newest > seen && (found?.pending.newest ?? 0) > seen;
        seen = newest;
        if (isNews) onNews(name);
        backoff.reset();
        // A missing consumer may be created later.
        await clock.sleep(found ? SETTLE_MS : LONGEST_DELAY_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) return;
        await clock.sleep(backoff.next(), signal).catch(() => {});
      }
    }
  };

  const unfollow = (consumer: string, follower: string) => {
    const entry = followed.get(consumer);
    if (!entry?.followers.delete(follower) || entry.followers.size > 0) return;
    entry.stop.abort();
    followed.delete(consumer);
  };

  return {
    follow(consumer, follower) {
      const entry = followed.get(consumer);
      if (entry) return void entry.followers.add(follower);
      const stop = new AbortController();
      followed.set(consumer, { followers: new Set([follower]), stop });
      watch(consumer, stop.signal).catch(() => {});
    },
    unfollow,
    unfollowAll(follower) {
      for (const consumer of [...followed.keys()]) unfollow(consumer, follower);
    },
    close() {
      for (const { stop } of followed.values()) stop.abort();
      followed.clear();
    },
  };
}

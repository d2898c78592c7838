// Which session of a server is to be renewed now: the one that ends first, in time and no sooner than it has to be.
// Where there is time it takes turns with the polls; else they wait, since with a session all its messages are gone.

import type { Clock } from "../../../core/clock.ts";
import { createHeap } from "../pacing/heap.ts";
import type { Session } from "./session.ts";

/** How long a renewal that did not come about waits to be tried again, longer each time, up to near its end. */
const RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 5 * 60_000;
const SHORTEST_RETRY_MS = 1000;
/** A clock that is ahead by more, all at once, was put right, or the machine was asleep. */
const JUMP_MS = 5000;
const LOOK_EVERY_MS = 1000;

type Living = Pick<Session, "expiresAt" | "ttlMs">;

/** Sessions are known by their slots: with thousands of them, an object more for each is more for every collection. */
export interface Renewals {
  /** Adds the session, or takes in its new end. */
  put(slot: number): void;
  remove(slot: number): void;
  /** The slot of the session to renew now, which is not given again for a while; -1: none. */
  take(): number;
  /** It was refused, or failed: until it is not, the polls do not wait for it. */
  refused(slot: number): void;
  countRefused(): number;
}

/** At the last quarter of its life, or at its end where it is not known how long it lives. In ms since the epoch. */
const dueAt = ({ expiresAt, ttlMs }: Living): number =>
  expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - (ttlMs ?? 0) / 4;

/**
 * In O(log n), but for a clock that jumps ahead.
 * @param at the session of a slot
 */
export function createRenewals(
  clock: Pick<Clock, "now" | "monotonic">,
  at: (slot: number) => Living | undefined,
): Renewals {
  // On the monotonic clock, so that one that is put back delays nothing.
  const positions: number[] = [];
  const due = createHeap({ count: 0 }, positions);
  const refusals = new Map<number, number>();
  let offsetMs = clock.now() - clock.monotonic();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let wasTaken = false;

  function schedule(slot: number): void {
    const session = at(slot);
    const { ttlMs = null } = session ?? {};
    // Where a clock was wrong when its end was told, it is renewed in time all the same.
    const inMs = Math.min(
      session ? dueAt(session) - clock.now() : Number.POSITIVE_INFINITY,
      session?.expiresAt && ttlMs !== null ? (3 / 4) * ttlMs : Number.POSITIVE_INFINITY,
    );
    if (Number.isFinite(inMs)) due.set(slot, clock.monotonic() + inMs);
    else due.delete(slot);
  }

  function postpone(slot: number, now: number): void {
    const retryMs = Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (refusals.get(slot) ?? 0));
    const { ttlMs = null, expiresAt = null } = at(slot) ?? {};
    const lifeMs = ttlMs ?? Number.POSITIVE_INFINITY;
    const leftMs = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - clock.now();
    // Of what is left a part each time, so that one that fails has been tried shortly before the end.
    const inTimeMs = leftMs > 0 ? leftMs / 4 : Number.POSITIVE_INFINITY;
    due.set(slot, now + Math.max(SHORTEST_RETRY_MS, Math.min(retryMs, lifeMs / 8, inTimeMs)));
  }

  /** Half of the time in which it is to be renewed is over. */
  function isUrgent(slot: number): boolean {
    const { expiresAt = null, ttlMs = null } = at(slot) ?? {};
    if (expiresAt === null || refusals.has(slot)) return false;
    return Date.parse(expiresAt) - clock.now() < (ttlMs ?? 0) / 8;
  }

  /** While the machine sleeps the monotonic clock stands still, and the sessions grow old. */
  function noticeJump(now: number): void {
    lookedAt = now;
    const before = offsetMs;
    offsetMs = clock.now() - now;
    if (offsetMs - before <= JUMP_MS) return;
    for (let slot = 0; slot < positions.length; slot++) if (due.has(slot)) schedule(slot);
  }

  return {
    put(slot) {
      refusals.delete(slot);
      schedule(slot);
    },
    remove(slot) {
      refusals.delete(slot);
      due.delete(slot);
    },
    take() {
      const now = clock.monotonic();
      if (now - lookedAt >= LOOK_EVERY_MS) noticeJump(now);
      const slot = due.topKey() <= now ? due.top() : -1;
      wasTaken = slot >= 0 && (!wasTaken || isUrgent(slot));
      if (!wasTaken) return -1;
      postpone(slot, now);
      return slot;
    },
    refused(slot) {
      if (!due.has(slot)) return;
      refusals.set(slot, (refusals.get(slot) ?? 0) + 1);
      postpone(slot, clock.monotonic());
    },
    countRefused: () => refusals.size,
  };
}

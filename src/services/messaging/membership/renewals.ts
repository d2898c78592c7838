// Chooses the session of a server to renew now: the one that ends first, early enough but not too early. With enough
// time, renewals alternate with polls; otherwise polls wait, since an expired session loses all its messages.

import type { Clock } from "../../../core/clock.ts";
import { createHeap } from "../pacing/heap.ts";
import type { Session } from "./session.ts";

/** How long a failed renewal waits for the next attempt: longer each time, up to near the session's end. */
const RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 5 * 60_000;
const SHORTEST_RETRY_MS = 1000;
/** A clock that jumps ahead by more was corrected, or the machine was asleep. */
const JUMP_MS = 5000;
const LOOK_EVERY_MS = 1000;

type Living = Pick<Session, "expiresAt" | "ttlMs">;

/** Sessions are identified by slots: with thousands of them, one more object each costs at every garbage collection. */
export interface Renewals {
  /** Adds the session, or updates its end. */
  put(slot: number): void;
  remove(slot: number): void;
  /** The slot of the session to renew now, which is then not returned again for a while; -1: none. */
  take(): number;
  /** It was refused, or failed: from then on the polls do not wait for it. */
  refused(slot: number): void;
  countRefused(): number;
}

/** At the last quarter of its life, or at its end if its lifetime is unknown. In ms since the epoch. */
const dueAt = ({ expiresAt, ttlMs }: Living): number =>
  expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - (ttlMs ?? 0) / 4;

/**
 * In O(log n), unless a clock jumps ahead.
 * @param at the session of a slot
 */
export function createRenewals(
  clock: Pick<Clock, "now" | "monotonic">,
  at: (slot: number) => Living | undefined,
): Renewals {
  // On the monotonic clock, so that a clock step back delays nothing.
  const positions: number[] = [];
  const due = createHeap({ count: 0 }, positions);
  const refusals = new Map<number, number>();
  let offsetMs = clock.now() - clock.monotonic();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let wasTaken = false;

  function schedule(slot: number): void {
    const session = at(slot);
    const { ttlMs = null } = session ?? {};
    // If a clock was wrong when its end was reported, it is still renewed in time.
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
    // A part of the remaining time each time, so that the last attempt is shortly before the end.
    const inTimeMs = leftMs > 0 ? leftMs / 4 : Number.POSITIVE_INFINITY;
    due.set(slot, now + Math.max(SHORTEST_RETRY_MS, Math.min(retryMs, lifeMs / 8, inTimeMs)));
  }

  /** Half of the time for its renewal has passed. */
  function isUrgent(slot: number): boolean {
    const { expiresAt = null, ttlMs = null } = at(slot) ?? {};
    if (expiresAt === null || refusals.has(slot)) return false;
    return Date.parse(expiresAt) - clock.now() < (ttlMs ?? 0) / 8;
  }

  /** While the machine sleeps, the monotonic clock stands still, but sessions age. */
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

// Which session of a server is to be renewed now: the one that ends first, in time and no sooner than it has to be.
// Polls can wait for it, since with a session that ends all its messages are gone.

import type { Clock } from "../../scheduler/clock.ts";
import { createHeap } from "./pacing-heap.ts";
import type { Session } from "./session.ts";

/** How long a renewal that did not come about waits to be tried again, longer each time that it is refused. */
const RETRY_MS = 15_000;
const LONGEST_RETRY_MS = 5 * 60_000;
const SHORTEST_RETRY_MS = 1000;
/** A clock that is ahead by more, all at once, was put right, or the machine was asleep. */
const JUMP_MS = 5000;
const LOOK_EVERY_MS = 1000;

type Living = Pick<Session, "sessionId" | "expiresAt" | "ttlMs">;

export interface Renewals {
  /** Adds the session, or takes in its new end. */
  put(session: Living): void;
  remove(sessionId: string): void;
  /** The id of the session to renew now, which is not given again for a while; undefined: none. */
  take(): string | undefined;
  /** It was refused: until it is not, it takes at most every second turn. */
  refused(sessionId: string): void;
  countRefused(): number;
}

interface Entry {
  session: Living;
  slot: number;
  refusals: number;
}

/** At the last quarter of its life, or at its end where it is not known how long it lives. In ms since the epoch. */
const dueAt = ({ expiresAt, ttlMs }: Living): number =>
  expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt) - (ttlMs ?? 0) / 4;

const retryMs = ({ session: { ttlMs }, refusals }: Entry): number =>
  Math.max(
    SHORTEST_RETRY_MS,
    Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** refusals, (ttlMs ?? Number.POSITIVE_INFINITY) / 8),
  );

/** In O(log n), but for a clock that jumps ahead. */
export function createRenewals(clock: Pick<Clock, "now" | "monotonic">): Renewals {
  const byId = new Map<string, Entry>();
  const bySlot: (Entry | undefined)[] = [];
  const freeSlots: number[] = [];
  // On the monotonic clock, so that one that is put back delays nothing.
  const due = createHeap({ count: 0 });
  let offsetMs = clock.now() - clock.monotonic();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let refusedCount = 0;
  let wasRetried = false;

  function schedule({ session, slot }: Entry): void {
    const at = clock.monotonic() + dueAt(session) - clock.now();
    if (Number.isFinite(at)) due.set(slot, at);
    else due.delete(slot);
  }

  function accepted(entry: Entry): void {
    if (entry.refusals > 0) refusedCount -= 1;
    entry.refusals = 0;
  }

  /** While the machine sleeps the monotonic clock stands still, and the sessions grow old. */
  function noticeJump(at: number): void {
    lookedAt = at;
    const now = clock.now() - at;
    const isAhead = now - offsetMs > JUMP_MS;
    offsetMs = now;
    if (isAhead) for (const entry of byId.values()) schedule(entry);
  }

  return {
    put({ sessionId, expiresAt, ttlMs }) {
      const before = byId.get(sessionId);
      if (before && before.session.expiresAt === expiresAt && before.session.ttlMs === ttlMs) return;
      const entry = before ?? {
        session: { sessionId, expiresAt, ttlMs },
        slot: freeSlots.pop() ?? bySlot.length,
        refusals: 0,
      };
      entry.session = { sessionId, expiresAt, ttlMs };
      byId.set(sessionId, entry);
      bySlot[entry.slot] = entry;
      accepted(entry);
      schedule(entry);
    },
    remove(sessionId) {
      const entry = byId.get(sessionId);
      if (!entry) return;
      accepted(entry);
      due.delete(entry.slot);
      byId.delete(sessionId);
      bySlot[entry.slot] = undefined;
      freeSlots.push(entry.slot);
    },
    take() {
      const now = clock.monotonic();
      if (now - lookedAt >= LOOK_EVERY_MS) noticeJump(now);
      const entry = due.topKey() <= now ? bySlot[due.top()] : undefined;
      const isRetried = entry !== undefined && entry.refusals > 0;
      const isTooSoon = isRetried && wasRetried;
      wasRetried = isRetried && !isTooSoon;
      if (!entry || isTooSoon) return undefined;
      due.set(entry.slot, now + retryMs(entry));
      return entry.session.sessionId;
    },
    refused(sessionId) {
      const entry = byId.get(sessionId);
      if (!entry) return;
      if (entry.refusals === 0) refusedCount += 1;
      entry.refusals += 1;
      due.set(entry.slot, clock.monotonic() + retryMs(entry));
    },
    countRefused: () => refusedCount,
  };
}

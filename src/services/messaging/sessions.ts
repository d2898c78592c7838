// The sessions in memory: who is polled next. Round robin: the session that has waited longest.

import type { Session } from "./session.ts";

const LONGEST_PAUSE_MS = 5 * 60_000;

interface Entry {
  session: Session;
  busy: boolean;
  /** Refusals in a row that concern this session alone. */
  refusals: number;
  /** Not taken before this (ms since the epoch). */
  pausedUntil: number;
}

export interface SessionSet {
  get(sessionId: string): Session | undefined;
  /** Adds the session, or replaces what is known of it. */
  put(session: Session): void;
  all(): Session[];
  /** Takes the session that has waited longest, among those that are polled or wait to be joined. */
  take(now: number): Session | undefined;
  /** Gives it back after its turn; one that was refused pauses, longer each time, and the others go on. */
  release(sessionId: string, outcome: { kind: "done" | "refused" | "postponed"; now: number }): void;
  /** How many sessions were refused at their last turn. */
  refused(): number;
}

const isActive = (session: Session) =>
  session.state === "new" || session.state === "joining" || session.state === "joined";

export function createSessionSet(): SessionSet {
  // A Map keeps its order: taking deletes and adds at the end, so that the first free entry has waited longest.
  const entries = new Map<string, Entry>();
  const refused = new Set<string>();
  return {
    get: (sessionId) => entries.get(sessionId)?.session,
    put(session) {
      const entry = entries.get(session.sessionId);
      if (entry) entry.session = session;
      else entries.set(session.sessionId, { session, busy: false, refusals: 0, pausedUntil: 0 });
    },
    all: () => [...entries.values()].map((entry) => entry.session),
    take(now) {
      for (const [id, entry] of entries) {
        if (entry.busy || entry.pausedUntil > now || !isActive(entry.session)) continue;
        entry.busy = true;
        entries.delete(id);
        entries.set(id, entry);
        return entry.session;
      }
      return undefined;
    },
    release(sessionId, outcome) {
      const entry = entries.get(sessionId);
      if (!entry) return;
      entry.busy = false;
      // Postponed by something else, the network most likely: nothing is known about the session.
      if (outcome.kind === "postponed") return;
      if (outcome.kind === "done") {
        entry.refusals = 0;
        entry.pausedUntil = 0;
        refused.delete(sessionId);
      } else {
        entry.refusals += 1;
        entry.pausedUntil = outcome.now + Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** entry.refusals);
        refused.add(sessionId);
      }
    },
    refused: () => refused.size,
  };
}

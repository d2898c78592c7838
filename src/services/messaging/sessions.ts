// The sessions in memory, and whose turn it is: the pacing decides among those that are active.

import { createPacing } from "./pacing.ts";
import type { Session } from "./session.ts";

const LONGEST_PAUSE_MS = 5 * 60_000;

/** How a session's turn ended. */
export type Turn =
  /** It was polled, and others had written so many messages. */
  | { kind: "polled"; messages: number }
  /** The turn went to something else that succeeded: joining, renewing. */
  | { kind: "served" }
  /** An answer that concerns this session alone: it pauses, longer each time. */
  | { kind: "refused" }
  /** Something else failed, the network most likely: nothing is known about the session. */
  | { kind: "postponed" };

export interface SessionSet {
  get(sessionId: string): Session | undefined;
  /** Adds the session, or replaces what is known of it. */
  put(session: Session): void;
  all(): Session[];
  /** Takes the session whose turn it is, among those that are polled or wait to be joined. */
  take(): Session | undefined;
  /** Gives it back after its turn. */
  release(sessionId: string, turn: Turn): void;
  /** An own message was sent in it: an answer is likely. */
  sent(sessionId: string): void;
  /** How many sessions were refused at their last turn. */
  refused(): number;
}

const isActive = (session: Session) =>
  session.state === "new" || session.state === "joining" || session.state === "joined";

/** The constant pace of the polls, which leaves the reserve to writes and renewals. */
export const pollPaceMs = (limits: { requests_per_minute: number; reserve_per_minute: number }): number =>
  60_000 / (limits.requests_per_minute - limits.reserve_per_minute);

export function createSessionSet(options: {
  /** Wall time in ms since the epoch: the estimates outlive the process. */
  now: () => number;
  /** The time from one poll to the next, over all sessions. */
  paceMs: number;
  maxStalenessMs: number;
}): SessionSet {
  const { now } = options;
  const sessions = new Map<string, Session>();
  const refusals = new Map<string, number>();
  const pacing = createPacing(options);

  return {
    get: (sessionId) => sessions.get(sessionId),
    put(session) {
      const { sessionId } = session;
      sessions.set(sessionId, session);
      if (isActive(session)) pacing.add(sessionId, now(), session.pacing ?? undefined);
      else {
        pacing.remove(sessionId);
        refusals.delete(sessionId);
      }
    },
    all: () => [...sessions.values()],
    take() {
      const id = pacing.next(now());
      return id === undefined ? undefined : sessions.get(id);
    },
    release(sessionId, turn) {
      if (turn.kind === "polled") pacing.polled(sessionId, now(), turn.messages);
      else pacing.failed(sessionId, now());
      if (turn.kind === "refused") {
        const count = (refusals.get(sessionId) ?? 0) + 1;
        refusals.set(sessionId, count);
        pacing.pause(sessionId, now() + Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** count));
      } else if (turn.kind !== "postponed") refusals.delete(sessionId);
      const session = sessions.get(sessionId);
      const estimate = pacing.estimate(sessionId);
      if (session && estimate) sessions.set(sessionId, { ...session, pacing: estimate });
    },
    sent: (sessionId) => pacing.sent(sessionId, now()),
    refused: () => refusals.size,
  };
}

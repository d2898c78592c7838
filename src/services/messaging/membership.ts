// Joining, rejoining, renewing and losing a session: what each answer of the server means for it.

import type { NewEvent } from "../../events/types.ts";
import { HttpError } from "../../http/errors.ts";
import { isoTime } from "../../scheduler/clock.ts";
import type { Observation } from "../../store/store.ts";
import { SESSION_KIND, type Session, sessionCursor, sessionSource } from "./session.ts";

/** The name of the session's key among the secrets. */
export const sessionKeyName = (sessionId: string) => `messaging.key:${sessionId}`;

/** The one form in which a change of a session is committed: its events, its record and its cursor together. */
export const sessionObservation = (
  session: Session,
  events: NewEvent[],
  sessionKey?: string | null,
): Observation => ({
  source: sessionCursor(session.sessionId),
  cursor: { cursor: session.cursor, generation: session.generation },
  events,
  put: [{ kind: SESSION_KIND, key: session.sessionId, value: session }],
  ...(sessionKey ? { secrets: [{ name: sessionKeyName(session.sessionId), value: sessionKey }] } : {}),
});

const reference = (session: Session) => ({ sessionId: session.sessionId, alias: session.alias });

/** After the server took us in. `ttlMs` is what the session itself says; null: not known. */
export function afterJoin(
  session: Session,
  now: number,
  answer: { expiresAt?: string | null | undefined },
  ttlMs: number | null,
): { session: Session; events: NewEvent[] } {
  const expiresAt = answer.expiresAt ?? (ttlMs === null ? null : isoTime(now + ttlMs));
  const rejoined = session.joinedAt !== null;
  return {
    session: { ...session, state: "joined", reason: null, joinedAt: isoTime(now), expiresAt, ttlMs },
    events: [
      {
        type: "messaging.session.joined",
        source: sessionSource(session.sessionId),
        data: { ...reference(session), agentId: session.agentId, expiresAt, rejoined },
      },
    ],
  };
}

/** After a renewal. */
export function afterRenewal(
  session: Session,
  now: number,
  answer: { ttl?: number | null | undefined; expiresAt?: string | null | undefined },
): { session: Session; events: NewEvent[] } {
  const ttlMs = answer.ttl ? answer.ttl * 1000 : session.ttlMs;
  const expiresAt = answer.expiresAt ?? (ttlMs === null ? null : isoTime(now + ttlMs));
  return {
    session: { ...session, ttlMs, expiresAt },
    events: [
      {
        type: "messaging.session.renewed",
        source: sessionSource(session.sessionId),
        data: { ...reference(session), expiresAt },
      },
    ],
  };
}

/** Codes that end a membership, with the state they lead to and the remedy. */
const ENDINGS: Record<string, { state: "expired" | "lost"; message: string }> = {
  session_not_found: {
    state: "expired",
    message: "The session does not exist any more. Create or claim another one.",
  },
  session_full: {
    state: "lost",
    message: "Every place in the session is taken. Ask its creator for a session with more places.",
  },
  agent_id_taken: {
    state: "lost",
    message: "Another agent is in the session under this agent id. Set another messaging.agent_id.",
  },
};

/** What an error answer makes of the session: its end, or undefined when it says nothing about the session. */
export function afterRefusal(
  session: Session,
  error: unknown,
): { session: Session; events: NewEvent[] } | undefined {
  if (!(error instanceof HttpError) || error.kind !== "status") return undefined;
  const ending = Object.hasOwn(ENDINGS, error.code) ? ENDINGS[error.code] : undefined;
  if (!ending) return undefined;
  const reason = { code: error.code, message: ending.message };
  return {
    session: { ...session, state: ending.state, reason },
    events: [
      {
        type: `messaging.session.${ending.state}`,
        source: sessionSource(session.sessionId),
        data: { ...reference(session), ...reason },
      },
    ],
  };
}

/** Whether the server says that we are no member (any more): removed for inactivity, most likely. */
export const isNotMember = (error: unknown): boolean =>
  error instanceof HttpError &&
  error.status === 403 &&
  (error.code === "agent_not_in_session" || error.code === "forbidden");

/** The end of a membership that the configuration does not let us take up again. */
export function afterRemoval(session: Session): { session: Session; events: NewEvent[] } {
  const reason = {
    code: "agent_not_in_session",
    message: "The server removed this agent and messaging.auto_rejoin is off. Turn it on, or join again.",
  };
  return {
    session: { ...session, state: "lost", reason },
    events: [
      {
        type: "messaging.session.lost",
        source: sessionSource(session.sessionId),
        data: { ...reference(session), ...reason },
      },
    ],
  };
}

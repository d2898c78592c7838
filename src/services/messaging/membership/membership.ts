// Joining, rejoining, renewing and losing a session: what each answer of the server means for it.

import { isoTime } from "../../../core/clock.ts";
import { instantOf } from "../../../core/instant.ts";
import { HttpError } from "../../../http/errors.ts";
import type { SessionChange } from "./changes.ts";
import { type Session, sessionSource } from "./session.ts";

/** The longest lifetime that is believed: anything longer is a mistake, and may exceed what a Date can hold. */
const LONGEST_LIFE_MS = 10 * 365 * 86_400_000;

/** By what part of a lifetime its end may differ from our own clock's estimate, and still be believed. */
const CLOCKS_APART = 1 / 8;

/** A session's lifetime, reported by its server in seconds; null: none, or an impossible one. */
export const lifeMs = (ttlSeconds: number | null | undefined): number | null => {
  const ms = (ttlSeconds ?? 0) * 1000;
  return ms >= 1000 && ms <= LONGEST_LIFE_MS ? ms : null;
};

/** The protocol's lifetime of a session whose server does not report it. */
const DEFAULT_TTL_MS = 3_660_000;

const reference = (session: Session) => ({ sessionId: session.sessionId, alias: session.alias });

/** A missing key: what it means, and what to do. */
const WITHOUT_KEY = {
  code: "missing_session_key",
  message:
    "The key of this session never arrived: messages are sent unverified, and nexusd cannot leave the session, only forget it.",
};

/**
 * After a successful join.
 * @param answer has `sessionKey` if there is one: nothing else in the session tells
 */
export function afterJoin(
  session: Session,
  now: number,
  answer: { expiresAt?: string | null | undefined; sessionKey?: string | null | undefined },
): SessionChange {
  const expiresAt = time(answer.expiresAt) ?? session.expiresAt;
  const rejoined = session.joinedAt !== null;
  return {
    session: {
      ...session,
      state: "joined",
      reason: answer.sessionKey ? null : WITHOUT_KEY,
      joinedAt: isoTime(now),
      expiresAt,
    },
    events: [
      {
        type: "messaging.session.joined",
        source: sessionSource(session.sessionId),
        data: { ...reference(session), agentId: session.agentId, expiresAt, rejoined },
      },
    ],
  };
}

/** After the server described the session: its lifetime, its members, its creator. */
export function afterDescription(
  session: Session,
  now: number,
  answer: { ttl?: number | null | undefined; creatorAgentId?: string | null | undefined },
): Session {
  const ttlMs = lifeMs(answer.ttl) ?? DEFAULT_TTL_MS;
  // It may be some time old, but has at most one lifetime left.
  const isPossible =
    session.expiresAt !== null && Date.parse(session.expiresAt) <= now + ttlMs * (1 + CLOCKS_APART);
  return {
    ...session,
    ttlMs,
    expiresAt: isPossible ? session.expiresAt : isoTime(now + ttlMs),
    isCreator: session.isCreator || answer.creatorAgentId === session.agentId,
  };
}

/** After leaving, or after finding that nexusd is no longer a member. Its alias is free for another session. */
export const afterLeaving = (session: Session): SessionChange => ({
  session: { ...session, state: "left", alias: null, leftAs: session.alias, reason: null, members: null },
  events: [
    {
      type: "messaging.session.left",
      source: sessionSource(session.sessionId),
      data: reference(session),
    },
  ],
});

/** After the server refused the session's key: the membership stays, and the refusal is reported once. */
export function afterKeyRefused(session: Session, message: string): SessionChange | undefined {
  const reason = { code: "invalid_session_key", message };
  if (session.reason?.code === reason.code && session.reason.message === message) return undefined;
  return {
    session: { ...session, reason },
    events: [
      {
        type: "messaging.session.key_refused",
        source: sessionSource(session.sessionId),
        data: { ...reference(session), ...reason },
      },
    ],
  };
}

/** A time from a service, in our format; null if it is none. */
function time(text: string | null | undefined): string | null {
  const ms = instantOf(text ?? "");
  return Number.isNaN(ms) ? null : isoTime(ms);
}

/** After a renewal. */
export function afterRenewal(
  session: Session,
  now: number,
  answer: { ttl?: number | null | undefined; expiresAt?: string | null | undefined },
): SessionChange {
  const ttlMs = lifeMs(answer.ttl) ?? session.ttlMs;
  const said = time(answer.expiresAt);
  // It has a full lifetime left. A wrong clock, here or there, must not end it at once, or late.
  const isPossible =
    ttlMs === null || (said !== null && Math.abs(Date.parse(said) - now - ttlMs) <= ttlMs * CLOCKS_APART);
  const expiresAt = isPossible ? said : isoTime(now + ttlMs);
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
    message: "Its server does not have this session, or no longer has it. Create or claim another one.",
  },
  session_full: {
    state: "lost",
    message: "The session is full. Ask its creator for a larger one.",
  },
  agent_id_taken: {
    state: "lost",
    message: "Another agent uses this agent id in the session. Set another messaging.agent_id.",
  },
};

/** Whether an error answer ends the membership. */
export const isEnding = (error: unknown): boolean => endingOf(error) !== undefined;

export const endingOf = (error: unknown) => {
  if (!(error instanceof HttpError) || error.kind !== "status") return undefined;
  const ending = Object.hasOwn(ENDINGS, error.code) ? ENDINGS[error.code] : undefined;
  return ending && { code: error.code, ...ending };
};

/** What an error answer means for the session: its end, or undefined if it says nothing about the session. */
export function afterRefusal(session: Session, error: unknown): SessionChange | undefined {
  const ending = endingOf(error);
  if (!ending) return undefined;
  const reason = { code: ending.code, message: ending.message };
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

/** Whether the server says that nexusd is not (or no longer) a member: most likely removed for inactivity. */
export const isNotMember = (error: unknown): boolean =>
  error instanceof HttpError &&
  error.status === 403 &&
  (error.code === "agent_not_in_session" || error.code === "forbidden");

/** The end of a membership that the configuration does not allow to resume. */
export function afterRemoval(session: Session): SessionChange {
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

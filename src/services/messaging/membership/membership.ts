// Joining, rejoining, renewing and losing a session: what each answer of the server means for it.

import { isoTime } from "../../../core/clock.ts";
import { instantOf } from "../../../core/instant.ts";
import { HttpError } from "../../../http/errors.ts";
import type { SessionChange } from "./changes.ts";
import { type Session, sessionSource } from "./session.ts";

/** The longest that is believed: any more is a mistake, and would end behind what a date can say. */
const LONGEST_LIFE_MS = 10 * 365 * 86_400_000;

/** By what part of a life its end may differ from what our own clock makes of it, and still be believed. */
const CLOCKS_APART = 1 / 8;

/** How long a session lives, of what its server says in seconds; null: it says nothing, or nothing that can be true. */
export const lifeMs = (ttlSeconds: number | null | undefined): number | null => {
  const ms = (ttlSeconds ?? 0) * 1000;
  return ms >= 1000 && ms <= LONGEST_LIFE_MS ? ms : null;
};

/** What the protocol gives a session whose server does not say how long it lives. */
const DEFAULT_TTL_MS = 3_660_000;

const reference = (session: Session) => ({ sessionId: session.sessionId, alias: session.alias });

/** A key that is not there: what it means, and what can be done. */
const WITHOUT_KEY = {
  code: "missing_session_key",
  message:
    "The key of this session never arrived: messages are sent unverified, and nexusd cannot leave the session, only forget it.",
};

/**
 * After the server took us in.
 * @param answer `sessionKey` where it gave one: nothing else of the session tells whether there is a key
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

/** After the server said what the session is: how long it lives, who is in it, whose it is. */
export function afterDescription(
  session: Session,
  now: number,
  answer: { ttl?: number | null | undefined; creatorAgentId?: string | null | undefined },
): Session {
  const ttlMs = lifeMs(answer.ttl) ?? DEFAULT_TTL_MS;
  // It may have lived a while, but has no more than one life before it.
  const isPossible =
    session.expiresAt !== null && Date.parse(session.expiresAt) <= now + ttlMs * (1 + CLOCKS_APART);
  return {
    ...session,
    ttlMs,
    expiresAt: isPossible ? session.expiresAt : isoTime(now + ttlMs),
    isCreator: session.isCreator || answer.creatorAgentId === session.agentId,
  };
}

/** After we left, or found that we were in it no more. Its alias is free for another one. */
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

/** After the server refused the session's key: the membership stays, and is reported once. */
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

/** A time that a service gave, in our form; null where it is none. */
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
  // It has a whole life before it. A clock that goes wrong, here or there, must not make it end at once, or late.
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

/** What an error answer makes of the session: its end, or undefined when it says nothing about the session. */
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

/** Whether the server says that we are no member (any more): removed for inactivity, most likely. */
export const isNotMember = (error: unknown): boolean =>
  error instanceof HttpError &&
  error.status === 403 &&
  (error.code === "agent_not_in_session" || error.code === "forbidden");

/** The end of a membership that the configuration does not let us take up again. */
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

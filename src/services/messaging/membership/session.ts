// A session as nexusd stores it. observation.ts says what a page of messages changes.

import { z } from "zod";
import { sessionView } from "../../../contract/api/views.ts";
import { isoTime } from "../../../core/clock.ts";
import { estimateRecord } from "../pacing/estimates.ts";

export const SESSION_KIND = "messaging.session";

/** The view decides what is served; fields added here stay internal. */
export const sessionRecord = z.object({
  ...sessionView.shape,
  /** The alias it had when it was left: it can be left again under that name, as long as no other session has it. */
  leftAs: z.string().nullable().default(null),
  /** The cursor of the last message that was certainly sent from here; null: none. It may not have been polled yet. */
  sentCursor: z.string().nullable().default(null),
  /** Whether there may be later own messages whose answers were lost or had no cursor. */
  isSendInDoubt: z.boolean().default(false),
  /** When the server that these cursors belong to was started, in ms since the epoch, if it says so. */
  serverBootAt: z.number().nullable(),
  /** The message at `cursor`, and when it was read; null: unknown. If it is still there, nothing is lost. */
  tail: z.object({ cursor: z.string(), id: z.string(), readAt: z.number() }).nullable().default(null),
  /** A message from before any unnoticed restart: the last of a reading from the start, or a later one. */
  anchor: z.object({ cursor: z.string(), id: z.string() }).nullable().default(null),
  /** When a page ended before `cursor`: until that is settled, each poll begins at the start. In ms since the epoch. */
  inDoubtSince: z.number().nullable().default(null),
  /** How often messages are expected, so that a restart need not learn it again; null: unknown. */
  pacing: estimateRecord.nullable().default(null),
});
export type Session = z.infer<typeof sessionRecord>;

export const newSession = (
  settings: Pick<Session, "sessionId" | "alias" | "baseUrl" | "agentId">,
): Session => ({
  ...settings,
  leftAs: null,
  state: "new",
  reason: null,
  cursor: null,
  sentCursor: null,
  isSendInDoubt: false,
  generation: 1,
  serverBootAt: null,
  ttlMs: null,
  expiresAt: null,
  lastPolledAt: null,
  joinedAt: null,
  isCreator: false,
  tail: null,
  anchor: null,
  inDoubtSince: null,
  members: null,
  pacing: null,
});

export const sessionSource = (sessionId: string) => `/messaging/sessions/${sessionId}`;

/**
 * A message restarts a session's lifetime, so an active session needs no renewal.
 * @param since when there was no such message yet, in ms since the epoch
 */
export function afterTraffic(session: Session, since: number): Session {
  const { ttlMs, expiresAt } = session;
  if (ttlMs === null || (expiresAt !== null && Date.parse(expiresAt) >= since + ttlMs)) return session;
  return { ...session, expiresAt: isoTime(since + ttlMs) };
}

// A session as nexusd remembers it. What a page of its messages makes of it stands in observation.ts.

import { z } from "zod";
import { sessionView } from "../../../contract/api/views.ts";
import { isoTime } from "../../../core/clock.ts";
import { estimateRecord } from "../pacing/estimates.ts";

export const SESSION_KIND = "messaging.session";

/** What is served of it is in its view; all that is added here stays inside. */
export const sessionRecord = z.object({
  ...sessionView.shape,
  /** The alias it had when it was left: under that name it can be left again, as long as no other session has it. */
  leftAs: z.string().nullable().default(null),
  /** Where the last message went that was certainly sent from here; null: none was. It may not have been polled yet. */
  sentCursor: z.string().nullable().default(null),
  /** Whether there may be later ones of ours: their answers did not come, or did not say where they went. */
  isSendInDoubt: z.boolean().default(false),
  /** When the server that these cursors belong to was started, in ms since the epoch, as far as it says. */
  serverBootAt: z.number().nullable(),
  /** The message at `cursor`, and when it was read; null: not known. Still there, it proves that nothing is gone. */
  tail: z.object({ cursor: z.string(), id: z.string(), readAt: z.number() }).nullable().default(null),
  /** A message that came before any restart that is still to be noticed: the last of a reading from the start, or later. */
  anchor: z.object({ cursor: z.string(), id: z.string() }).nullable().default(null),
  /** When a page ended before `cursor`: until that is settled each poll begins at the start. In ms since the epoch. */
  inDoubtSince: z.number().nullable().default(null),
  /** How often messages are expected, so that a restart need not learn it anew; null: not known. */
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
 * A message begins the time of a session anew, so that a lively one needs no renewal.
 * @param since when there was no such message yet, in ms since the epoch
 */
export function afterTraffic(session: Session, since: number): Session {
  const { ttlMs, expiresAt } = session;
  if (ttlMs === null || (expiresAt !== null && Date.parse(expiresAt) >= since + ttlMs)) return session;
  return { ...session, expiresAt: isoTime(since + ttlMs) };
}

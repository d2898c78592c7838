// A session as nexusd remembers it, and what a page of messages makes of it: pure, so that every trap of the
// protocol (restarted servers, repeated and unordered pages, own messages) is decided in one place.

import { z } from "zod";
import type { NewEvent } from "../../events/types.ts";
import type { Message, MessagePage } from "./client.ts";
import { estimateRecord } from "./pacing-model.ts";

export const SESSION_KIND = "messaging.session";

export const sessionRecord = z.object({
  sessionId: z.string(),
  alias: z.string().nullable(),
  baseUrl: z.string(),
  agentId: z.string(),
  /** `joining`: the join was sent, its answer is not on disk; `lost`: a member no more, see `reason`. */
  state: z.enum(["new", "joining", "joined", "expired", "lost", "left"]),
  reason: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** The last cursor committed; null: read from the start. */
  cursor: z.string().nullable(),
  /** Counts the restarts of the server that were noticed: cursors are comparable only within one. */
  generation: z.number(),
  /** When the server that these cursors belong to was started, in ms since the epoch, as far as it says. */
  serverBootAt: z.number().nullable(),
  ttlMs: z.number().nullable(),
  expiresAt: z.string().nullable(),
  lastPolledAt: z.string().nullable(),
  joinedAt: z.string().nullable(),
  /** How often messages are expected, so that a restart need not learn it anew; null: not known. */
  pacing: estimateRecord.nullable().default(null),
});
export type Session = z.infer<typeof sessionRecord>;

export const newSession = (
  settings: Pick<Session, "sessionId" | "alias" | "baseUrl" | "agentId">,
): Session => ({
  ...settings,
  state: "new",
  reason: null,
  cursor: null,
  generation: 1,
  serverBootAt: null,
  ttlMs: null,
  expiresAt: null,
  lastPolledAt: null,
  joinedAt: null,
  pacing: null,
});

export const sessionSource = (sessionId: string) => `/messaging/sessions/${sessionId}`;
export const sessionCursor = (sessionId: string) => `messaging:${sessionId}`;

// A start time computed from `uptime` wanders by the delay of the answers; a restart moves it by far more.
const BOOT_TOLERANCE_MS = 5000;

/** Whether the server was restarted since the cursors of this session were read: its messages are gone. */
export const isFromEarlierBoot = (session: Session, bootAt: number | null): boolean =>
  bootAt !== null && session.serverBootAt !== null && bootAt > session.serverBootAt + BOOT_TOLERANCE_MS;

/**
 * Whether the session ends soon enough that it should be renewed now: in the last quarter of its life, or at its end
 * where it is not known how long it lives.
 */
export const isRenewalDue = (session: Session, now: number): boolean =>
  session.expiresAt !== null && Date.parse(session.expiresAt) - now < (session.ttlMs ?? 0) / 4;

const byCursor = (a: Message, b: Message) => {
  const [x, y] = [BigInt(a.cursor), BigInt(b.cursor)];
  return x < y ? -1 : x > y ? 1 : 0;
};

export interface PageResult {
  session: Session;
  events: NewEvent[];
  restarted: boolean;
}

/**
 * What a page says.
 * @param askedAfter what the poll sent as `after`; null: it read from the start
 * @param bootAt when the server says that it was started
 */
export function observePage(
  session: Session,
  page: MessagePage,
  askedAfter: string | null,
  bootAt: number | null,
): PageResult {
  const messages = page.messages.toSorted(byCursor);
  const last = [page.nextCursor, messages.at(-1)?.cursor]
    .filter((value) => value !== undefined && value !== null)
    .reduce<bigint | null>((max, value) => (max === null || BigInt(value) > max ? BigInt(value) : max), null);
  const stored = session.cursor === null ? null : BigInt(session.cursor);

  // A cursor behind the stored one, or none at all where there was one, is a server that forgot its messages.
  const restarted = stored !== null && (last === null ? askedAfter === null && stored > 0n : last < stored);
  const isKnownBoot = session.serverBootAt !== null && !isFromEarlierBoot(session, bootAt);
  const next: Session = { ...session, serverBootAt: isKnownBoot ? session.serverBootAt : bootAt };
  const events: NewEvent[] = [];
  if (restarted) {
    next.generation += 1;
    // Unless this page began at the start, what stands before it has not been read: the next poll begins there.
    next.cursor = askedAfter === null && last !== null ? String(last) : null;
    events.push({
      type: "messaging.session.restarted",
      source: sessionSource(session.sessionId),
      data: {
        sessionId: session.sessionId,
        alias: session.alias,
        generation: next.generation,
        lastCursor: session.cursor,
      },
    });
  } else if (last !== null) next.cursor = String(last);

  for (const message of messages)
    if (message.agentId !== session.agentId) events.push(received(session, message));
  return { session: next, events, restarted };
}

/** The id is the identity of a message, its cursor only a position: a repeated page adds nothing. */
function received(session: Session, message: Message): NewEvent {
  return {
    type: "messaging.message.received",
    source: sessionSource(session.sessionId),
    subject: message.id,
    data: {
      sessionId: session.sessionId,
      alias: session.alias,
      messageId: message.id,
      cursor: message.cursor,
      agentId: message.agentId ?? "system",
      ...(typeof message.text === "string" ? { text: message.text } : {}),
      ...(message.json === undefined || message.json === null ? {} : { json: message.json }),
      verified: message.verified ?? false,
      expiresAt: message.expiresAt ?? null,
    },
    dedupe: {
      scope: sessionCursor(session.sessionId),
      match: [message.id],
      record: [message.id],
    },
  };
}

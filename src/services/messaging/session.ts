// A session as nexusd remembers it, and what a page of messages makes of it: pure, so that every trap of the
// protocol (restarted servers, repeated and unordered pages, own messages) is decided in one place.

import { createHash } from "node:crypto";
import { z } from "zod";
import type { NewEvent } from "../../events/types.ts";
import { stringifyJson } from "../../http/json.ts";
import { isoTime } from "../../scheduler/clock.ts";
import type { SessionChange } from "./changes.ts";
import type { Message, MessagePage } from "./client.ts";
import { estimateRecord } from "./pacing-model.ts";

export const SESSION_KIND = "messaging.session";

export const sessionRecord = z.object({
  sessionId: z.string(),
  alias: z.string().nullable(),
  baseUrl: z.string(),
  agentId: z.string(),
  /**
   * `joining`: the join was sent, its answer is not on disk; `expired`: its server knows it no more; `lost`: a member
   * no more, see `reason`; `left`: by our own will.
   */
  state: z.enum(["new", "joining", "joined", "expired", "lost", "left"]),
  /** Why it has ended, or what is wrong with it while it goes on. */
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
  /** Whether it was created under our agent id: then it cannot be left. */
  isCreator: z.boolean().default(false),
  /** The message at `cursor`; null: not known. One and the same there proves that nothing was forgotten. */
  lastMessageId: z.string().nullable().default(null),
  /** A page ended before `cursor`: the next poll begins at the start, to see whether the messages are gone. */
  isInDoubt: z.boolean().default(false),
  /** The agents in it when last looked; null: never. */
  members: z.array(z.string()).nullable().default(null),
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
  isCreator: false,
  lastMessageId: null,
  isInDoubt: false,
  members: null,
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

/** What to poll after: null begins at the start, where the messages may be others than those that were read. */
export const pollAfter = (session: Session, bootAt: number | null): string | null =>
  session.isInDoubt || isFromEarlierBoot(session, bootAt) ? null : session.cursor;

export interface PageResult extends SessionChange {
  /** Whether the server lost the messages that were there. */
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
  const last = greatest([page.nextCursor, messages.at(-1)?.cursor]);
  const stored = session.cursor === null ? null : BigInt(session.cursor);
  const received = messages
    .filter(({ agentId }) => agentId !== session.agentId)
    .map((message) => messageReceived(session, message));
  const challenges = challenged(session, page);
  const at = (cursor: bigint | null) => messages.find((message) => BigInt(message.cursor) === cursor)?.id;

  if (askedAfter !== null) {
    // Behind what was read: an older page once more, or a server that forgot. Only a reading from the start tells.
    const isBehind = stored !== null && last !== null && last < stored;
    const isAhead = last !== null && (stored === null || last > stored);
    const next: Session = {
      ...session,
      isInDoubt: session.isInDoubt || isBehind,
      ...(isAhead && { cursor: String(last), lastMessageId: at(last) ?? null }),
      // What is known of the start is replaced only by a reading from there.
      serverBootAt: session.serverBootAt ?? bootAt,
    };
    return { session: next, events: [...received, ...challenges], restarted: false };
  }

  const restarted = stored !== null && hasForgotten(session, { stored, last, isThere: at(stored), bootAt });
  const isAhead = last !== null && (stored === null || restarted || last >= stored);
  const next: Session = {
    ...session,
    isInDoubt: false,
    serverBootAt: isFromEarlierBoot(session, bootAt) ? bootAt : (session.serverBootAt ?? bootAt),
    ...(isAhead && { cursor: String(last), lastMessageId: at(last) ?? null }),
    ...(restarted && { generation: session.generation + 1 }),
    ...(restarted && last === null && { cursor: null, lastMessageId: null }),
  };
  const restart: NewEvent[] = restarted
    ? [
        {
          type: "messaging.session.restarted",
          source: sessionSource(session.sessionId),
          data: {
            sessionId: session.sessionId,
            alias: session.alias,
            generation: next.generation,
            lastCursor: session.cursor,
          },
        },
      ]
    : [];
  return { session: next, events: [...restart, ...received, ...challenges], restarted };
}

/** Whether a reading from the start shows other messages than those that were read before. */
function hasForgotten(
  session: Session,
  seen: { stored: bigint; last: bigint | null; isThere: string | undefined; bootAt: number | null },
): boolean {
  const { stored, last, isThere, bootAt } = seen;
  if (isThere !== undefined && session.lastMessageId !== null) return isThere !== session.lastMessageId;
  if (last === null || last < stored) return stored > 0n || last !== null;
  // There are newer ones, and the one that was the last is not among them: the start of the server decides.
  return isThere === undefined && session.lastMessageId !== null && isFromEarlierBoot(session, bootAt);
}

const greatest = (cursors: (string | null | undefined)[]): bigint | null =>
  cursors.reduce<bigint | null>((max, cursor) => {
    if (cursor === null || cursor === undefined) return max;
    const value = BigInt(cursor);
    return max === null || value > max ? value : max;
  }, null);

/** A challenge that comes with every page is one event. nexusd cannot answer it: an agent has to know. */
function challenged(session: Session, page: MessagePage): NewEvent[] {
  const challenge = page.ctrl?.challenge;
  if (challenge === undefined || challenge === null) return [];
  const digest = createHash("sha256").update(stringifyJson(challenge)).digest("hex");
  const key = `challenge:${digest}`;
  return [
    {
      type: "messaging.session.challenged",
      source: sessionSource(session.sessionId),
      data: { sessionId: session.sessionId, alias: session.alias, challenge },
      dedupe: { scope: sessionCursor(session.sessionId), match: [key], record: [key] },
    },
  ];
}

/** Who came and who went since the last look, we ourselves left out. The first look only remembers. */
export function observeMembers(session: Session, page: MessagePage): SessionChange {
  if (!page.members) return { session, events: [] };
  const now = [...new Set(page.members.map(({ agentId }) => agentId))].toSorted();
  const before = session.members;
  if (before === null) return { session: { ...session, members: now }, events: [] };
  const told = (type: "messaging.member.joined" | "messaging.member.left", agents: string[]): NewEvent[] =>
    agents
      .filter((agentId) => agentId !== session.agentId)
      .map((agentId) => ({
        type,
        source: sessionSource(session.sessionId),
        subject: agentId,
        data: { sessionId: session.sessionId, alias: session.alias, agentId },
      }));
  const came = now.filter((agentId) => !before.includes(agentId));
  const went = before.filter((agentId) => !now.includes(agentId));
  if (came.length + went.length === 0) return { session, events: [] };
  return {
    session: { ...session, members: now },
    events: [...told("messaging.member.joined", came), ...told("messaging.member.left", went)],
  };
}

/**
 * A message begins the time of a session anew, so that a lively one needs no renewal.
 * @param since when there was no such message yet, in ms since the epoch
 */
export function afterTraffic(session: Session, since: number): Session {
  const { ttlMs, expiresAt } = session;
  if (ttlMs === null || (expiresAt !== null && Date.parse(expiresAt) >= since + ttlMs)) return session;
  return { ...session, expiresAt: isoTime(since + ttlMs) };
}

/** The id is the identity of a message, its cursor only a position: a repeated page adds nothing. */
function messageReceived(session: Session, message: Message): NewEvent {
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

// A session as nexusd remembers it, and what a page of messages makes of it: pure, so that every trap of the
// protocol (restarted servers, repeated and unordered pages, own messages) is decided in one place.

import { createHash } from "node:crypto";
import { z } from "zod";
import type { NewEvent } from "../../events/types.ts";
import { stringifyJson } from "../../http/json.ts";
import { isoTime } from "../../scheduler/clock.ts";
import { isOtherBoot } from "./boot.ts";
import type { SessionChange } from "./changes.ts";
import { estimateRecord } from "./pacing-estimates.ts";
import type { Message, MessagePage } from "./page.ts";

export const SESSION_KIND = "messaging.session";

export const sessionRecord = z.object({
  sessionId: z.string(),
  alias: z.string().nullable(),
  /** The alias it had when it was left: under that name it can be left again, as long as no other session has it. */
  leftAs: z.string().nullable().default(null),
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
  /** Where the last message went that was certainly sent from here; null: none was. It may not have been polled yet. */
  sentCursor: z.string().nullable().default(null),
  /** Whether there may be later ones of ours: their answers did not come, or did not say where they went. */
  isSendInDoubt: z.boolean().default(false),
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
  /** The message at `cursor`, and when it was read; null: not known. Still there, it proves that nothing is gone. */
  tail: z.object({ cursor: z.string(), id: z.string(), readAt: z.number() }).nullable().default(null),
  /** A message that came before any restart that is still to be noticed: the last of a reading from the start, or later. */
  anchor: z.object({ cursor: z.string(), id: z.string() }).nullable().default(null),
  /** When a page ended before `cursor`: until that is settled each poll begins at the start. In ms since the epoch. */
  inDoubtSince: z.number().nullable().default(null),
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
const dedupeScope = (sessionId: string) => `messaging:${sessionId}`;

const byCursor = (a: Message, b: Message) => {
  const [x, y] = [BigInt(a.cursor), BigInt(b.cursor)];
  return x < y ? -1 : x > y ? 1 : 0;
};

/**
 * What to poll after: null begins at the start, where the messages may be others than those that were read. Of a cursor
 * that another client has left nobody knows to which life of the server it belongs.
 */
export const pollAfter = (
  session: Pick<Session, "inDoubtSince" | "serverBootAt" | "cursor">,
  bootAt: number | null,
): string | null => {
  const isUnknownBoot = bootAt !== null && session.serverBootAt === null;
  return session.inDoubtSince !== null || isUnknownBoot || isOtherBoot(session, bootAt)
    ? null
    : session.cursor;
};

export interface PageResult extends SessionChange {
  /** Whether the server lost the messages that were there. */
  restarted: boolean;
}

/** What is known of a server's start when a page is read; times in ms since the epoch. */
export interface BootSeen {
  /** When it says that it was started; null: it does not say. */
  bootAt: number | null;
  /** When it said so; null: never. */
  checkedAt: number | null;
  now: number;
}

/**
 * What a page says.
 * @param askedAfter what the poll sent as `after`; null: it read from the start
 */
export function observePage(
  session: Session,
  page: MessagePage,
  askedAfter: string | null,
  boot: BootSeen,
): PageResult {
  const messages = page.messages.toSorted(byCursor);
  const last = greatest([page.nextCursor, messages.at(-1)?.cursor]);
  const stored = session.cursor === null ? null : BigInt(session.cursor);
  const isBehind = stored !== null && (last === null ? askedAfter === null && stored > 0n : last < stored);
  const idAt = (cursor: string) => messages.find((message) => BigInt(message.cursor) === BigInt(cursor))?.id;
  const verdict: Verdict =
    askedAfter !== null
      ? isBehind || session.inDoubtSince !== null
        ? "in_doubt"
        : "remembers"
      : stored === null
        ? "remembers"
        : judged(session, { isBehind, idAt, boot });

  const restarted = verdict === "forgot";
  const isMoved = restarted || (last !== null && (stored === null || last > stored));
  const tailId = last === null ? undefined : idAt(String(last));
  const isWhole = askedAfter === null && verdict !== "in_doubt";
  const readUpTo = isWhole && verdict === "remembers" ? readBefore(session, idAt) : -1n;
  const next: Session = {
    ...session,
    inDoubtSince: verdict === "in_doubt" ? (session.inDoubtSince ?? boot.now) : null,
    // What is known of the start is replaced only by a reading from there that settled what it means.
    serverBootAt:
      isWhole && isOtherBoot(session, boot.bootAt) ? boot.bootAt : (session.serverBootAt ?? boot.bootAt),
    ...(isMoved && {
      cursor: last === null ? null : String(last),
      tail: tailId === undefined ? null : { cursor: String(last), id: tailId, readAt: boot.now },
      anchor: restarted ? null : anchorOf(session, boot),
    }),
    ...(isWhole && tailId !== undefined && { anchor: { cursor: String(last), id: tailId } }),
    generation: session.generation + (restarted ? 1 : 0),
  };
  const received = messages
    .filter(({ agentId, cursor }) => agentId !== session.agentId && BigInt(cursor) > readUpTo)
    .map((message) => messageReceived(session, message));
  return {
    session: next,
    events: [...(restarted ? [restart(session, next)] : []), ...received, ...challenged(session, page)],
    restarted,
  };
}

/**
 * Up to where all was told before, of a reading from the start: the mark of the last one is still there, and with it
 * what was read since. Where there is none, another client has read up to the cursor.
 */
function readBefore(session: Session, idAt: (cursor: string) => string | undefined): bigint {
  const { anchor, tail, cursor } = session;
  if (cursor === null) return -1n;
  const isThere = anchor ? idAt(anchor.cursor) === anchor.id : tail === null && idAt(cursor) !== undefined;
  return isThere ? BigInt(cursor) : -1n;
}

/** Most pages: there is nothing after the cursor, as was to be expected, and all else of the session stays as it is. */
export const saysNothing = (
  session: Pick<Session, "cursor" | "serverBootAt">,
  page: MessagePage,
  askedAfter: string | null,
  bootAt: number | null,
): boolean =>
  askedAfter !== null &&
  askedAfter === session.cursor &&
  page.messages.length === 0 &&
  (page.nextCursor ?? session.cursor) === session.cursor &&
  !page.members &&
  !page.ctrl &&
  (session.serverBootAt !== null || bootAt === null);

type Verdict = "remembers" | "forgot" | "in_doubt";

/** What a reading from the start shows: whether the messages that were read before are still there. */
function judged(
  session: Session,
  page: { isBehind: boolean; idAt: (cursor: string) => string | undefined; boot: BootSeen },
): Verdict {
  const { isBehind, idAt, boot } = page;
  const isOther = isOtherBoot(session, boot.bootAt);
  // After a restart the newest that was read may be one of the new messages already.
  const known = (isOther || boot.bootAt === null ? session.anchor : null) ?? session.tail;
  const there = known ? idAt(known.cursor) : undefined;
  if (known && there !== undefined) return there === known.id ? "remembers" : "forgot";
  if (!isBehind) return isOther && known ? "forgot" : "remembers";
  if (isOther || boot.bootAt === null) return "forgot";
  // By its uptime it was not restarted. An older page may come twice; what it says after the doubt arose, counts.
  const isAskedSince = session.inDoubtSince !== null && (boot.checkedAt ?? 0) > session.inDoubtSince;
  return isAskedSince ? "forgot" : "in_doubt";
}

/** The newest message of which it is known, by a start that was asked for after it, that it came before no restart. */
function anchorOf(session: Session, { bootAt, checkedAt }: BootSeen): Session["anchor"] {
  const { tail, anchor, serverBootAt } = session;
  const isSameBoot = bootAt !== null && serverBootAt !== null && !isOtherBoot(session, bootAt);
  if (!tail || !isSameBoot || checkedAt === null || checkedAt <= tail.readAt) return anchor;
  return { cursor: tail.cursor, id: tail.id };
}

const restart = (before: Session, after: Session): NewEvent => ({
  type: "messaging.session.restarted",
  source: sessionSource(before.sessionId),
  data: {
    sessionId: before.sessionId,
    alias: before.alias,
    generation: after.generation,
    lastCursor: before.cursor,
  },
});

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
      dedupe: { scope: dedupeScope(session.sessionId), match: [key], record: [key] },
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
      ...(message.jsonOmitted && { jsonOmitted: message.jsonOmitted }),
      verified: message.verified ?? false,
      expiresAt: message.expiresAt ?? null,
    },
    dedupe: {
      scope: dedupeScope(session.sessionId),
      match: [message.id],
      record: [message.id],
    },
  };
}

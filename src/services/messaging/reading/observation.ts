// What a page of messages means for a session. Pure, so that every trap of the protocol (restarted servers, repeated
// and unordered pages, own messages) is handled in one place.

import { isOtherBoot } from "../membership/boot.ts";
import type { SessionChange } from "../membership/changes.ts";
import type { Session } from "../membership/session.ts";
import { challenged, messageReceived, sessionRestarted } from "../membership/session-events.ts";
import type { Message, MessagePage } from "./page.ts";

/**
 * The cursor to poll after; null begins at the start, where the messages may differ from those that were read. For a
 * cursor from another client, the server's restarts are unknown.
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
  /** Its start time by its own account; null: it does not say. */
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
    // What is known of the start is replaced only by a reading from the start that settled what it means.
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
    events: [
      ...(restarted ? [sessionRestarted(session, next)] : []),
      ...received,
      ...challenged(session, page),
    ],
    restarted,
  };
}

/**
 * In a reading from the start, the position up to which everything was reported before: its mark is still there, and so
 * is everything read since. Without a mark, another client has read up to the cursor.
 */
function readBefore(session: Session, idAt: (cursor: string) => string | undefined): bigint {
  const { anchor, tail, cursor } = session;
  if (cursor === null) return -1n;
  const isThere = anchor ? idAt(anchor.cursor) === anchor.id : tail === null && idAt(cursor) !== undefined;
  return isThere ? BigInt(cursor) : -1n;
}

/** Most pages: nothing after the cursor, as expected, and the rest of the session stays the same. */
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
  // After a restart, the newest message read may already be one of the new ones.
  const known = (isOther || boot.bootAt === null ? session.anchor : null) ?? session.tail;
  const there = known ? idAt(known.cursor) : undefined;
  if (known && there !== undefined) return there === known.id ? "remembers" : "forgot";
  if (!isBehind) return isOther && known ? "forgot" : "remembers";
  if (isOther || boot.bootAt === null) return "forgot";
  // By its uptime it was not restarted. An older page may come twice; only what it says after the doubt arose counts.
  const isAskedSince = session.inDoubtSince !== null && (boot.checkedAt ?? 0) > session.inDoubtSince;
  return isAskedSince ? "forgot" : "in_doubt";
}

/** The newest message that is known to be from before any restart, by a start time that was requested after it. */
function anchorOf(session: Session, { bootAt, checkedAt }: BootSeen): Session["anchor"] {
  const { tail, anchor, serverBootAt } = session;
  const isSameBoot = bootAt !== null && serverBootAt !== null && !isOtherBoot(session, bootAt);
  if (!tail || !isSameBoot || checkedAt === null || checkedAt <= tail.readAt) return anchor;
  return { cursor: tail.cursor, id: tail.id };
}

const byCursor = (a: Message, b: Message) => {
  const [x, y] = [BigInt(a.cursor), BigInt(b.cursor)];
  return x < y ? -1 : x > y ? 1 : 0;
};

const greatest = (cursors: (string | null | undefined)[]): bigint | null =>
  cursors.reduce<bigint | null>((max, cursor) => {
    if (cursor === null || cursor === undefined) return max;
    const value = BigInt(cursor);
    return max === null || value > max ? value : max;
  }, null);

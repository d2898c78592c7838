// The notification feed of Nex: reads on from a time, page by page, and reports what no page could have had.

import { createHash } from "node:crypto";
import type { Dedupe } from "../../contract/new-event.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { instantOf } from "../../core/instant.ts";
import { fieldsOf } from "../input.ts";

/** The most that the feed returns at once. */
export const FEED_LIMIT = 50;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Overlap of each read, because a notification may appear in the feed later than its own time. */
const OVERLAP_MS = 15 * MINUTE_MS;
/** How late it may be and still be reported. A busy day is read again one page at a time. */
const LATEST_MS = DAY_MS;
/** A position this far ahead of Nex's time cannot have been read, and is moved back this far. */
const AHEAD_MS = 60 * MINUTE_MS;
const BACK_MS = 7 * DAY_MS;

/** Milliseconds since the epoch. */
export interface FeedPosition {
  /** The newest notification that was read, of those whose time has come; never ahead of Nex's time. */
  coveredUntil: number;
  /** How far the previous day was read again; undefined: from its start. */
  again?: number | undefined;
}

export interface FeedPage {
  /** As the service returned them, oldest first. */
  notifications: Record<string, unknown>[];
  position: FeedPosition;
  /** A period in which there may have been more than the feed returns, ms since the epoch. */
  gap: { from: number; to: number } | undefined;
}

/**
 * Yields what is new in the feed, and what arrived late. It is undocumented which of too many the feed returns: if the
 * oldest, the rest is requested; if the newest, what lies before cannot be fetched. Repetitions are left to the log,
 * which knows their ids.
 * @param list requests what was sent after a time, or the latest
 * @param now by Nex's clock, from its last answer
 * @param stored undefined: nothing is known, and the latest are enough
 */
export async function* readFeed(
  list: (since: number | undefined) => Promise<Record<string, unknown>[]>,
  now: () => number,
  stored: FeedPosition | undefined,
): AsyncGenerator<FeedPage> {
  if (!stored) {
    const page = readPage(await list(undefined));
    const coveredUntil = Math.min(page.newest ?? now(), now());
    yield { notifications: page.notifications, position: { coveredUntil }, gap: undefined };
    return;
  }
  const from = stored.again ?? stored.coveredUntil - LATEST_MS;
  const first = readPage(await list(Math.max(0, from)));
  // Only now is Nex's time known for certain.
  if (stored.coveredUntil > now() + AHEAD_MS) {
    yield* readOn(list, now, now() - BACK_MS, undefined);
    return;
  }
  const known = Math.min(stored.coveredUntil, now());
  const { notifications, newest } = first;
  const coveredUntil = moved(known, first, now());
  if (!first.isFull || newest === undefined || newest <= from) {
    yield { notifications, position: { coveredUntil }, gap: undefined };
    return;
  }
  if (first.isNewestFirst) {
    yield newestOnly(first, known, now());
    return;
  }
  // A whole page of one instant cannot be advanced.
  const reached = newest - 1 > from ? newest - 1 : newest;
  const again = reached < known - OVERLAP_MS ? reached : undefined;
  yield { notifications, position: { coveredUntil, again }, gap: undefined };
  yield* readOn(list, now, known, again);
}

/** What was sent since shortly before a time, until a page is not full. */
async function* readOn(
  list: (since: number) => Promise<Record<string, unknown>[]>,
  now: () => number,
  known: number,
  again: number | undefined,
): AsyncGenerator<FeedPage> {
  let coveredUntil = known;
  for (let since = Math.max(0, known - OVERLAP_MS); ; ) {
    const page = readPage(await list(since));
    const { notifications, newest } = page;
    // A full page with nothing after `since` comes from a feed that ignores it.
    if (!page.isFull || newest === undefined || newest <= since) {
      coveredUntil = moved(coveredUntil, page, now());
      yield { notifications, position: { coveredUntil, again }, gap: undefined };
      return;
    }
    if (page.isNewestFirst) {
      yield newestOnly(page, coveredUntil, now());
      return;
    }
    coveredUntil = moved(coveredUntil, page, now());
    // Others of the same instant may be on the next page; a whole page of one instant cannot be advanced.
    const isStuck = newest - 1 <= since;
    const gap = isStuck ? { from: newest, to: newest } : undefined;
    yield { notifications, position: { coveredUntil, again }, gap };
    since = isStuck ? newest : newest - 1;
  }
}

/** Of more than a page, the newest: what lies before them cannot be fetched. */
function newestOnly(page: Page, known: number, now: number): FeedPage {
  const { notifications, oldest = known } = page;
  const gap = oldest > known ? { from: known, to: oldest } : undefined;
  const coveredUntil = moved(Math.max(known, Math.min(oldest, now)), page, now);
  return { notifications, position: { coveredUntil }, gap };
}

interface Page {
  /** Oldest first. */
  notifications: Record<string, unknown>[];
  /** Undefined if none says its time. */
  newest: number | undefined;
  oldest: number | undefined;
  isFull: boolean;
  isNewestFirst: boolean;
}

function readPage(given: Record<string, unknown>[]): Page {
  const times = given.map(sentAt).filter((time) => time !== undefined);
  const isNewestFirst = (times[0] ?? 0) > (times.at(-1) ?? 0);
  return {
    notifications: (isNewestFirst ? given.toReversed() : given).toSorted(byTime),
    newest: times.length > 0 ? Math.max(...times) : undefined,
    oldest: times.length > 0 ? Math.min(...times) : undefined,
    isFull: given.length >= FEED_LIMIT,
    isNewestFirst,
  };
}

/** Only forward, and only by times that have come: one in the future must not hide what is sent until then. */
const moved = (known: number, { notifications }: Page, now: number): number =>
  Math.max(known, ...notifications.map((one) => sentAt(one) ?? known).filter((time) => time <= now));

/** The notifications of an answer, in every wrapper that Nex has been seen to use; undefined if it has none. */
export function readNotifications(body: unknown): Record<string, unknown>[] | undefined {
  const { items, data } = fieldsOf(body);
  const list = [body, items, data].find(Array.isArray);
  return list?.map(fieldsOf).filter((one) => Object.keys(one).length > 0);
}

/** Milliseconds since the epoch. */
function sentAt({ sent_at, alert_time }: Record<string, unknown>): number | undefined {
  const ms = instantOf(String(sent_at ?? alert_time ?? ""));
  return Number.isNaN(ms) ? undefined : ms;
}

const byTime = (a: Record<string, unknown>, b: Record<string, unknown>) =>
  (sentAt(a) ?? 0) - (sentAt(b) ?? 0);

/** One event per notification, by its id; without an id, by all its content. */
export function notificationDedupe(notification: Record<string, unknown>): Dedupe {
  const { id } = notification;
  const isId = typeof id === "string" || typeof id === "number" || typeof id === "bigint";
  const key = isId
    ? `id:${id}`
    : `is:${createHash("sha256").update(stringifyJson(notification)).digest("base64url")}`;
  return { scope: "nex.notifications", match: [key], record: [key] };
}

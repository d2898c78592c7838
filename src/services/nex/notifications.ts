// The notification feed of Nex: reading on from a time, page by page, and saying what no page could have had.

import { createHash } from "node:crypto";
import type { Dedupe } from "../../events/types.ts";
import { stringifyJson } from "../../http/json.ts";
import { fieldsOf } from "../input.ts";

/** The most that the feed gives at once. */
export const FEED_LIMIT = 50;
/** What is asked for again, because a notification may be in the feed later than it says that it was sent. */
const OVERLAP_MS = 5 * 60_000;

export interface FeedPage {
  /** As the service gave them, oldest first. */
  notifications: Record<string, unknown>[];
  /** The time of the newest, ms since the epoch; undefined where none says its time. */
  newest: number | undefined;
  /** A stretch in which there may have been more than the feed gives, ms since the epoch. */
  gap: { from: number; to: number } | undefined;
}

/**
 * Yields what the feed has since a time, until a page is not full. No document says which of too many the feed gives:
 * where it begins with the oldest the rest is asked for, where with the newest what lies before cannot be had.
 * @param list asks for what was sent after a time, or for the latest
 * @param coveredUntil everything sent before is known; undefined: nothing is, and the latest are enough
 */
export async function* readFeed(
  list: (since: number | undefined) => Promise<Record<string, unknown>[]>,
  coveredUntil: number | undefined,
): AsyncGenerator<FeedPage> {
  let since = coveredUntil === undefined ? undefined : Math.max(0, coveredUntil - OVERLAP_MS);
  for (;;) {
    const page = await list(since);
    const times = page.map(sentAt).filter((time) => time !== undefined);
    const newest = times.length > 0 ? Math.max(...times) : undefined;
    const oldest = times.length > 0 ? Math.min(...times) : undefined;
    const isFull = page.length >= FEED_LIMIT;
    const isNewestFirst = (times[0] ?? 0) > (times.at(-1) ?? 0);
    const notifications = (isNewestFirst ? page.toReversed() : page).toSorted(byTime);
    const yielded = { notifications, newest };
    // A full page of what is not after `since` is that of a feed that takes no heed of it.
    if (!isFull || since === undefined || newest === undefined || oldest === undefined || newest <= since) {
      yield { ...yielded, gap: undefined };
      return;
    }
    if (isNewestFirst) {
      const known = coveredUntil ?? 0;
      yield { ...yielded, gap: oldest > known ? { from: known, to: oldest } : undefined };
      return;
    }
    // Those of the same instant may be on the next page; a whole page of one instant cannot be turned.
    const isStuck: boolean = newest - 1 <= since;
    yield { ...yielded, gap: isStuck ? { from: newest, to: newest } : undefined };
    since = isStuck ? newest : newest - 1;
  }
}

/** The notifications of an answer, in every wrapping that Nex is seen to use; undefined where it has none. */
export function readNotifications(body: unknown): Record<string, unknown>[] | undefined {
  const { items, data } = fieldsOf(body);
  const list = [body, items, data].find(Array.isArray);
  return list?.map(fieldsOf).filter((one) => Object.keys(one).length > 0);
}

/** Milliseconds since the epoch. */
function sentAt({ sent_at, alert_time }: Record<string, unknown>): number | undefined {
  const ms = Date.parse(String(sent_at ?? alert_time ?? ""));
  return Number.isNaN(ms) ? undefined : ms;
}

const byTime = (a: Record<string, unknown>, b: Record<string, unknown>) =>
  (sentAt(a) ?? 0) - (sentAt(b) ?? 0);

/** One event for one notification, by its id; where it has none, by all that it says. */
export function notificationDedupe(notification: Record<string, unknown>): Dedupe {
  const { id } = notification;
  const isId = typeof id === "string" || typeof id === "number" || typeof id === "bigint";
  const key = isId
    ? `id:${id}`
    : `is:${createHash("sha256").update(stringifyJson(notification)).digest("base64url")}`;
  return { scope: "nex.notifications", match: [key], record: [key] };
}

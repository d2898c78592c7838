// Follows the notification feed of Nex: one event per notification, however often the feed returns it.

import type { NewEvent } from "../../contract/new-event.ts";
import { isoTime } from "../../core/clock.ts";
import { HttpError } from "../../http/errors.ts";
import { fieldsOf } from "../input.ts";
import type { JobContext } from "../job.ts";
import { PREFIX } from "./client.ts";
import {
  FEED_LIMIT,
  type FeedPosition,
  notificationDedupe,
  readFeed,
  readNotifications,
} from "./notifications.ts";
import { unknownShape } from "./operation.ts";

const CURSOR = "nex.notifications";
const SOURCE = "/nex/notifications";
const LABEL = "GET /v1/notifications/feed";

/** Reads the feed from its last position to its end. */
export async function readNotificationFeed(context: JobContext): Promise<void> {
  const { store, services, log } = context;
  const stored = readPosition((await store.readCursor(CURSOR))?.value);
  for await (const { notifications, position, gap } of readFeed(
    (since) => list(context, since),
    services.nex.now,
    stored,
  )) {
    const events: NewEvent[] = notifications.map((notification) => ({
      type: "nex.notification.received",
      source: SOURCE,
      data: { notification },
      dedupe: notificationDedupe(notification),
    }));
    if (gap)
      events.push({
        type: "nex.notification.gap",
        source: SOURCE,
        // Once, also while its end is ahead of Nex's time.
        dedupe: { scope: "nex.notification.gaps", match: [`${gap.to}`], record: [`${gap.to}`] },
        data: {
          ...{ from: isoTime(gap.from), to: isoTime(gap.to) },
          reason: `more than ${FEED_LIMIT} notifications, the most that Nex returns at once`,
        },
      });
    const { coveredUntil, again } = position;
    const { appended } = await store.commitObservation({
      source: CURSOR,
      cursor: {
        coveredUntil: isoTime(coveredUntil),
        ...(again !== undefined && { again: isoTime(again) }),
      },
      events,
    });
    context.progress();
    if (appended.length > 0) log.info({ notifications: appended.length }, "notifications received");
  }
}

/** As stored above; earlier versions stored only `coveredUntil`. */
function readPosition(stored: unknown): FeedPosition | undefined {
  const coveredUntil = timeOf(fieldsOf(stored).coveredUntil);
  if (coveredUntil === undefined) return undefined;
  return { coveredUntil, again: timeOf(fieldsOf(stored).again) };
}

const timeOf = (value: unknown): number | undefined => {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
};

async function list({ services, signal }: JobContext, since: number | undefined) {
  const query = new URLSearchParams({
    limit: String(FEED_LIMIT),
    ...(since !== undefined && { since: isoTime(since) }),
  });
  try {
    const path = `${PREFIX}/notifications/feed?${query}`;
    const response = await services.nex.http.request({ method: "GET", path, label: LABEL, signal });
    const notifications = readNotifications(response.json());
    if (!notifications) throw unknownShape(response.status, LABEL);
    return notifications;
  } catch (error) {
    if (error instanceof HttpError && error.status === 403) throw missingScope(error);
    throw error;
  }
}

const missingScope = (cause: HttpError) =>
  new HttpError({
    kind: "status",
    service: "nex",
    label: LABEL,
    status: 403,
    code: "nex_scope_missing",
    message:
      "The Nex API key lacks the scope notification.read. Create a key that has it and reload, or disable [jobs.nex-notifications].",
    retryable: false,
    maybeSent: true,
    cause,
  });

// What the watches of Nexus share: a declaration becomes a job, and its changes are committed as they come.

import { isoTime } from "../src/scheduler/clock.ts";
import { type CronJob, defineJob, type JobContext } from "../src/scheduler/define-job.ts";
import type { ColumnNames, WatchJob } from "../src/services/nexus/columns.ts";
import { type FeedPosition, readFeed } from "../src/services/nexus/feed.ts";
import { readChanges, type Watch } from "../src/services/nexus/watch.ts";

/** Where its last complete pass began, and how far its feed was read. */
interface Cursor {
  completedAt?: string;
  feed?: FeedPosition;
}

export const watchJob = <J extends WatchJob, Settings extends { columns: ColumnNames }, State>(
  watch: Watch<Settings, State> & { job: J },
  settingsOf: (context: Pick<JobContext, "config">) => Settings,
): CronJob =>
  defineJob({
    name: watch.job,
    description: watch.description,
    kind: "cron",
    service: "nexus",
    enabled: (config) => config.nexus.enabled && config.jobs[watch.job].enabled,
    schedule: (config) => config.jobs[watch.job].schedule,
    catchUp: "once",
    run: (context) => runWatch(context, watch, settingsOf(context)),
  });

/** One complete pass; what was committed before it failed stands. */
export async function runWatch<Settings extends { columns: ColumnNames }, State>(
  context: Pick<JobContext, "store" | "services" | "clock" | "log" | "signal">,
  watch: Watch<Settings, State>,
  settings: Settings,
): Promise<void> {
  const { store, services, clock, log, signal } = context;
  const source = watch.job;
  // Written below.
  const cursor = ((await store.readCursor(source))?.value ?? {}) as Cursor;
  // The time the pass begins: an order created while it runs is new to the next one.
  const completedAt = isoTime(clock.now());
  let edges = 0;
  for await (const changes of readChanges(services.nexus, watch, {
    settings,
    records: (part) => store.readRecords(watch.kind, part),
    now: clock.now,
    lastPassAt: cursor.completedAt === undefined ? null : Date.parse(cursor.completedAt),
    signal,
  })) {
    if (changes.events.length + changes.put.length + changes.remove.length === 0) continue;
    edges += (await store.commitObservation({ source, ...changes })).appended.length;
  }
  let feed = cursor.feed;
  if (watch.feed)
    for await (const { events, position } of readFeed(services.nexus, watch.feed, feed, signal)) {
      feed = position;
      const committed = await store.commitObservation({ source, cursor: { ...cursor, feed }, events });
      edges += committed.appended.length;
    }
  await store.commitObservation({ source, cursor: { completedAt, ...(feed && { feed }) } });
  if (edges > 0) log.info({ edges }, "rows of Nexus changed");
}

// What the watches of Nexus share: turns a declaration into a job, and commits its changes as they arrive.

import { isoTime } from "../../core/clock.ts";
import { type CronJob, defineJob, type JobContext } from "../job.ts";
import type { RowReader } from "./client.ts";
import type { WatchJob } from "./columns.ts";
import { feedFailure, readFeed } from "./feed.ts";
import type { FeedPosition, FeedReader } from "./feed-rows.ts";
import { createPageMemory, type PageMemory } from "./pages.ts";
import { describeQuota } from "./quota.ts";
import { readChanges, type Watch, type WatchSettings } from "./watch.ts";

type WatchContext = Pick<
  JobContext,
  "store" | "services" | "clock" | "steady" | "log" | "signal" | "degraded"
>;

/** Per store, since a page can only be skipped if the store has the records that it was compared with. */
const memories = new WeakMap<JobContext["store"], Map<WatchJob, PageMemory>>();

function pagesOf(store: JobContext["store"], job: WatchJob): PageMemory {
  const ofStore = memories.get(store) ?? new Map<WatchJob, PageMemory>();
  memories.set(store, ofStore);
  const pages = ofStore.get(job) ?? createPageMemory();
  ofStore.set(job, pages);
  return pages;
}

/** When its last complete pass began, and how far its feed was read. */
interface Cursor {
  completedAt?: string;
  feed?: FeedPosition;
}

export const watchJob = <J extends WatchJob, Settings extends WatchSettings, State>(
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

/** One complete pass, when the day's quota has room for it; what was committed before a failure stays. */
export async function runWatch<Settings extends WatchSettings, State>(
  context: WatchContext,
  watch: Watch<Settings, State>,
  settings: Settings,
): Promise<void> {
  const { services, signal, degraded } = context;
  const { quota } = services.nexus;
  await quota.admit(signal, (waitMs, status) => {
    const wait = `slowed down for ${Math.ceil(waitMs / 60_000)} min`;
    degraded({ code: "quota_low", message: `nexus: ${describeQuota(status)}: ${wait}` });
  });
  degraded(undefined);
  let requests = 0;
  const nexus: RowReader & FeedReader = {
    time: services.nexus.time,
    read: (...query) => {
      requests++;
      return services.nexus.read(...query);
    },
    readCounted: (...query) => {
      requests++;
      return services.nexus.readCounted(...query);
    },
    readUnless: (...query) => {
      requests++;
      return services.nexus.readUnless(...query);
    },
  };
  try {
    await pass(context, nexus, watch, settings);
  } catch (error) {
    throw quota.met(error);
  } finally {
    quota.spent(requests);
  }
}

async function pass<Settings extends WatchSettings, State>(
  { store, clock, steady, log, signal }: WatchContext,
  nexus: RowReader & FeedReader,
  watch: Watch<Settings, State>,
  settings: Settings,
): Promise<void> {
  const source = watch.job;
  // Written below.
  const cursor = ((await store.readCursor(source))?.value ?? {}) as Cursor;
  // The start of the pass: an order created during it is new to the next one.
  const completedAt = isoTime(clock.now());
  let edges = 0;
  for await (const changes of readChanges(nexus, watch, {
    settings,
    records: (part) => store.readRecords(watch.kind, part),
    now: clock.now,
    isOlder: steady.isOlder,
    lastPassAt: cursor.completedAt === undefined ? null : Date.parse(cursor.completedAt),
    pages: pagesOf(store, source),
    signal,
  })) {
    if (changes.events.length + changes.put.length + changes.remove.length === 0) continue;
    edges += (await store.commitObservation({ source, ...changes })).appended.length;
  }
  const { feed } = watch;
  let position = cursor.feed;
  try {
    if (feed && settings[feed.setting] !== false)
      for await (const next of readFeed(nexus, feed, position, signal)) {
        position = next.position;
        const { events, known = [] } = next;
        const committed = await store.commitObservation({
          source,
          cursor: { ...cursor, feed: position },
          events,
          known,
        });
        edges += committed.appended.length;
      }
  } catch (error) {
    throw feed ? feedFailure(error, feed, { job: source, without: feed.setting }) : error;
  }
  await store.commitObservation({ source, cursor: { completedAt, ...(position && { feed: position }) } });
  if (edges > 0) log.info({ edges }, "rows of Nexus changed");
}

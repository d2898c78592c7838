// Holds the insight stream of Nex, closes its gaps by REST, and polls REST while the stream cannot be had.

import type { InsightOrigin, NewEvent } from "../src/events/types.ts";
import { HttpError } from "../src/http/errors.ts";
import { type Backoff, createBackoff } from "../src/scheduler/backoff.ts";
import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob, type JobContext } from "../src/scheduler/define-job.ts";
import { LIST_LIMIT, type StreamBatch } from "../src/services/nex/client.ts";
import { readWindow } from "../src/services/nex/coverage.ts";
import { type InsightBatch, insightDedupe } from "../src/services/nex/insights.ts";

const CURSOR = "nex.insights";
const SOURCE = "/nex/insights";
/** What is asked for again before a window, because the clocks differ and insights are stored late. */
const OVERLAP_MS = 5 * 60_000;
const FALLBACK_AFTER_FAILURES = 3;
const POLL_EVERY_MS = 60_000;
const HEALTHY_AFTER_MS = 30_000;
const LONGEST_BACKOFF_MS = 60_000;
/** A refused key is tried again slowly: somebody may give it its scope back. */
const REFUSED_BACKOFF_MS = 5 * 60_000;

export default defineJob({
  name: "nex-insights",
  description: "Holds the insight stream of Nex, with REST for what the stream missed.",
  kind: "stream",
  service: "nex",
  enabled: (config) => config.nex.enabled,
  intervalMs: ({ config }) => Math.max(config.nex.keepalive_timeout / 3, 1000),
  run,
});

/** What the job knows while it runs. */
interface Watch {
  /** Everything emitted before is in the log (ms since the epoch). */
  coveredUntil: number;
  /** Streams in a row that failed before they were healthy. */
  failures: number;
  isOpen: boolean;
  backoff: Backoff;
  lastPollAt: number;
}

const onHealthy = (watch: Watch) => {
  watch.failures = 0;
  watch.backoff.reset();
};

async function run(context: JobContext): Promise<void> {
  const { clock, random, signal, store } = context;
  const stored = (await store.readCursor(CURSOR))?.value as { coveredUntil?: string } | undefined;
  const watch: Watch = {
    coveredUntil: stored?.coveredUntil ? Date.parse(stored.coveredUntil) : clock.now(),
    failures: 0,
    isOpen: false,
    backoff: createBackoff(random, 1000, LONGEST_BACKOFF_MS),
    lastPollAt: 0,
  };
  // A first start has no history to catch up with, but from here on nothing may be missed.
  if (!stored) await cover(context, watch, watch.coveredUntil, []);
  // The replay of the very first connection is history, and is taken as it comes.
  let hasMissed = stored !== undefined;
  while (!signal.aborted) {
    let lostBy: HttpError | undefined;
    try {
      await holdStream(context, watch, hasMissed);
    } catch (error) {
      // Only Nex is waited for here; what the store or the code throws is for the scheduler to report.
      if (!(error instanceof HttpError) && !signal.aborted) throw error;
      if (error instanceof HttpError) lostBy = error;
    }
    if (signal.aborted) return;
    hasMissed = true;
    await afterLoss(context, watch, lostBy);
  }
}

/** One life of the stream; returns when the server ended it, throws when it was lost otherwise. */
async function holdStream(context: JobContext, watch: Watch, hasMissed: boolean): Promise<void> {
  const { clock, log, services, signal } = context;
  const life = new AbortController();
  const streamSignal = AbortSignal.any([signal, life.signal]);
  let openedAt: number | undefined;
  let lastSignAt = 0;
  const onActivity = () => {
    lastSignAt = clock.now();
    if (openedAt !== undefined && clock.now() - openedAt >= HEALTHY_AFTER_MS) onHealthy(watch);
    context.progress();
  };
  try {
    setState(context, watch.failures === 0 ? "connecting" : services.nex.status.state);
    const stream = await services.nex.openStream(streamSignal, onActivity);
    openedAt = lastSignAt = clock.now();
    // The window is closed before the first event is read, so that the log keeps the order of the service.
    // What arrives meanwhile waits in the socket.
    const isCaughtUp = !hasMissed || (await catchUp(context, watch, openedAt, streamSignal));
    setState(context, "live");
    watch.isOpen = true;
    await cover(context, watch, isCaughtUp ? openedAt : watch.coveredUntil, [
      { type: "nex.stream.opened", source: "/nex/stream", data: { afterFailures: watch.failures } },
    ]);
    log.info({ afterFailures: watch.failures }, "the insight stream is open");
    if (isCaughtUp) context.degraded(undefined);
    const upkeep = maintain(context, watch, () => lastSignAt, isCaughtUp, streamSignal);
    // Its failure ends this life of the stream; the error is what the race throws.
    const consumed = consume(context, watch, stream.batches, () => {
      onHealthy(watch);
      return upkeep.isCaughtUp();
    });
    await Promise.race([consumed, upkeep.failed]);
  } finally {
    life.abort();
  }
}

async function consume(
  context: JobContext,
  watch: Watch,
  batches: AsyncIterable<StreamBatch>,
  onEvent: () => boolean,
): Promise<void> {
  for await (const batch of batches) {
    const isCaughtUp = onEvent();
    if (batch.isUnreadable) context.log.warn("Nex sent an insight event in a shape that is not known");
    const origin = batch.isReplay ? "replay" : "live";
    await cover(
      context,
      watch,
      isCaughtUp ? context.clock.now() : watch.coveredUntil,
      insightEvents(batch, origin),
    );
    context.log.debug({ insights: batch.insights.length, origin }, "insights received");
  }
}

/**
 * While the stream is open: keeps the covered time moving when it is quiet, and tries again to close a window
 * that REST refused.
 */
function maintain(
  context: JobContext,
  watch: Watch,
  lastSignAt: () => number,
  startedCaughtUp: boolean,
  signal: AbortSignal,
) {
  let isCaughtUp = startedCaughtUp;
  const loop = async () => {
    while (!signal.aborted) {
      await context.clock.sleep(HEALTHY_AFTER_MS, signal);
      if (!isCaughtUp) {
        isCaughtUp = await catchUp(context, watch, lastSignAt(), signal);
        if (isCaughtUp) context.degraded(undefined);
      } else if (lastSignAt() > watch.coveredUntil) await cover(context, watch, lastSignAt(), []);
    }
  };
  const failed = loop().then(
    () => new Promise<never>(() => {}),
    (error: unknown) => {
      if (signal.aborted) return new Promise<never>(() => {});
      throw error;
    },
  );
  failed.catch(() => {}); // also when the race was already lost
  return { failed, isCaughtUp: () => isCaughtUp };
}

/** Waits for the next attempt; on the fallback it polls meanwhile. */
async function afterLoss(context: JobContext, watch: Watch, error: HttpError | undefined): Promise<void> {
  const { clock, log, signal } = context;
  watch.failures += 1;
  const failure = describe(error);
  const isRefused = error?.status === 401 || error?.status === 403;
  context.degraded(failure);
  const events: NewEvent[] = [];
  if (watch.isOpen || watch.failures === 1)
    events.push({ type: "nex.stream.lost", source: "/nex/stream", data: failure });
  watch.isOpen = false;
  if (watch.failures === FALLBACK_AFTER_FAILURES && !isRefused)
    events.push({
      type: "nex.stream.fallback",
      source: "/nex/stream",
      data: { pollEveryMs: POLL_EVERY_MS, failures: watch.failures },
    });
  if (events.length > 0) await cover(context, watch, watch.coveredUntil, events);
  const isPolling = watch.failures >= FALLBACK_AFTER_FAILURES && !isRefused;
  setState(context, isPolling ? "polling" : "recovering");
  const waitMs = isRefused ? REFUSED_BACKOFF_MS : Math.max(error?.retryAfterMs ?? 0, watch.backoff.next());
  const level = watch.failures === 1 || watch.failures === FALLBACK_AFTER_FAILURES ? "warn" : "debug";
  log[level](
    { ...failure, failures: watch.failures, retryInMs: Math.round(waitMs) },
    "the insight stream is lost",
  );
  const until = clock.now() + waitMs;
  if (isPolling && clock.now() - watch.lastPollAt >= POLL_EVERY_MS) {
    watch.lastPollAt = clock.now();
    if (await catchUp(context, watch, clock.now(), signal)) context.progress();
  }
  await clock.sleep(Math.max(0, until - clock.now()), signal);
}

/**
 * Fetches what was emitted since `coveredUntil`, with an overlap.
 * @returns false when REST failed too: the window stays open and is tried again
 */
async function catchUp(context: JobContext, watch: Watch, to: number, signal: AbortSignal): Promise<boolean> {
  const { services, log } = context;
  const list = (from: number, until: number) => services.nex.listInsights(from, until, signal);
  try {
    for await (const slice of readWindow(list, watch.coveredUntil - OVERLAP_MS, to, LIST_LIMIT)) {
      const events = insightEvents(slice.batch, "backfill");
      if (slice.isCut)
        events.push({
          type: "nex.stream.gap",
          source: "/nex/stream",
          data: {
            from: isoTime(slice.from),
            to: isoTime(slice.to),
            reason: `more than ${LIST_LIMIT} insights in one second, which is all that Nex gives`,
          },
        });
      await cover(context, watch, Math.max(watch.coveredUntil, slice.to), events);
      context.progress();
    }
    return true;
  } catch (error) {
    if (signal.aborted || !(error instanceof HttpError)) throw error;
    const failure = describe(error);
    context.degraded(failure);
    log.warn({ ...failure, from: isoTime(watch.coveredUntil) }, "missed insights could not be fetched yet");
    return false;
  }
}

/** Commits events together with the time that they complete. */
async function cover(context: JobContext, watch: Watch, until: number, events: NewEvent[]): Promise<void> {
  const coveredUntil = isoTime(until);
  await context.store.commitObservation({ source: CURSOR, cursor: { coveredUntil }, events });
  watch.coveredUntil = until;
  context.services.nex.status.coveredUntil = coveredUntil;
}

const insightEvents = (batch: InsightBatch, origin: InsightOrigin): NewEvent[] =>
  batch.insights.map((insight) => ({
    type: "nex.insight.received",
    source: SOURCE,
    data: { insight, workspace: batch.workspace, origin },
    dedupe: insightDedupe(insight),
  }));

function setState(context: JobContext, state: "connecting" | "live" | "recovering" | "polling"): void {
  const { status } = context.services.nex;
  if (status.state !== state || status.since === null) status.since = isoTime(context.clock.now());
  status.state = state;
}

function describe(error: HttpError | undefined): { code: string; message: string } {
  if (!error) return { code: "stream_ended", message: "Nex ended the insight stream." };
  if (error.status === 401)
    return {
      code: "nex_key_refused",
      message: "Nex refused the API key (nex.api_key). Put a valid key in its place and reload.",
    };
  if (error.status === 403)
    return {
      code: "nex_scope_missing",
      message: "The Nex API key lacks the scope insight.stream. Create a key that has it and reload.",
    };
  return { code: error.code, message: error.message };
}

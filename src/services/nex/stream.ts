// Watches the insights of Nex: the stream, REST for what it missed and while it is down, and all reports.

import type { Failure, NewEvent } from "../../contract/new-event.ts";
import { isoTime } from "../../core/clock.ts";
import type { Loss, ServerSentEvent } from "../../http/sse.ts";
import type { JobContext } from "../job.ts";
import { readBatch } from "./client.ts";
import { openInsightLog } from "./insight-log.ts";
import { createdAt } from "./insights.ts";
import { createPolls, POLL_EVERY_MS } from "./polls.ts";
import { createReorderBuffer } from "./reorder-buffer.ts";
import { describeLoss, isKeyRefused } from "./stream-failure.ts";
import { FLAPPING, INITIAL, type StreamInput, step } from "./stream-state.ts";

const TICK_MS = 5000;
const COVER_EVERY_MS = 30_000;
/** A stream without an insight so far may be broken: REST is asked this often. */
const UNPROVEN_EVERY_MS = 10 * 60_000;
/** More than any clock adjustment by steps too small to matter. */
const JUMP_MS = 2000;

const UNREADABLE: Failure = {
  code: "insight_unreadable",
  message:
    "Nex sent an insight event in an unknown shape, so it is fetched by REST instead. A newer nexusd may know the shape.",
};

/** Runs until the signal aborts. @throws StoreError, or any other error that is not a failure of Nex */
export async function watchInsights(context: JobContext): Promise<void> {
  const { clock, log, services, store } = context;
  const { nex } = services;
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, over.signal]);
  const { insights, isFirst } = await openInsightLog(
    store,
    nex.now,
    (until) => {
      nex.status.coveredUntil = isoTime(until);
    },
    context.config.limits.insight_bytes,
  );

  let current = INITIAL;
  let failure: ReturnType<typeof describeLoss> | undefined;
  /** When the last readable data arrived, by Nex's clock. */
  let lastSignAt = 0;
  /** Whether this connection has brought insights: until then only REST covers its time. */
  let isProven = false;
  let askedAt = 0;
  /** Set by an event about insights that could not be read, until one can be. */
  let unreadable: Failure | undefined;
  const untold: NewEvent[] = [];
  // The replay of the very first connection is history, and is accepted as it is.
  let hasMissed = !isFirst;
  let isFirstReplay = false;

  const polls = createPolls({
    ...{ context, insights, signal },
    state: () => current.state,
    onClosed: () => buffer.drop(),
    onGivenUp: () => buffer.release(),
    onHealth: showHealth,
  });
  const buffer = createReorderBuffer(clock);

  function showHealth() {
    // As reported to the log: an unstable stream does not make the service change its state each time.
    const isLost = current.told?.kind === "lost" && current.state !== "live";
    // A stream that is lost again and again is not well in between, either.
    const isFlapping = current.failures >= FLAPPING;
    context.degraded(isLost || isFlapping ? failure : (polls.failure() ?? unreadable));
    nex.status.isMissing = current.state === "live" && polls.isMissing();
  }

  /** Moves to the next state, shows it, and returns what to report to the log. */
  const proceed = (input: StreamInput): NewEvent[] => {
    const { failures, state } = current;
    const { after, announce } = step(current, input, clock.monotonic());
    current = after;
    if (after.state !== state || nex.status.since === null) nex.status.since = isoTime(clock.now());
    Object.assign(nex.status, { state: after.state, failures: after.failures });
    const source = "/nex/stream";
    const events = {
      opened: { type: "nex.stream.opened", source, data: { afterFailures: failures } },
      lost: { type: "nex.stream.lost", source, data: failure ?? describeLoss(undefined) },
      fallback: {
        type: "nex.stream.fallback",
        source,
        data: { pollEveryMs: POLL_EVERY_MS, failures: after.failures },
      },
    } satisfies Record<string, NewEvent>;
    return announce.map((name) => events[name]);
  };

  /** With what was to be reported before, in order. */
  const commit = (events: NewEvent[], until?: number) =>
    insights.commit([...untold.splice(0), ...events], until);

  const began = async () => {
    lastSignAt = nex.now();
    isProven = false;
    askedAt = clock.monotonic();
    const afterFailures = current.failures;
    const told = proceed({ kind: "opened" });
    nex.status.nextAttemptAt = null;
    isFirstReplay = !hasMissed;
    if (hasMissed) polls.request(lastSignAt);
    log[told.length > 0 ? "info" : "debug"]({ afterFailures }, "the insight stream is open");
    showHealth();
    await commit(told, hasMissed ? undefined : lastSignAt);
    hasMissed = true;
  };

  const events = async (received: ServerSentEvent[]) => {
    const batches = received.map(readBatch).filter((batch) => batch !== undefined);
    const isUnreadable = batches.some((batch) => batch.isUnreadable);
    if (isUnreadable && !unreadable) log.warn(UNREADABLE.message);
    if (batches.length > 0) unreadable = isUnreadable ? UNREADABLE : undefined;
    isProven ||= batches.some((batch) => !batch.isUnreadable);
    if (isUnreadable) polls.request(nex.now());
    if (batches.length > 0) showHealth();
    const taken = batches.flatMap((batch) => {
      const found = insights.events(batch, batch.isReplay ? "replay" : "live");
      return batch.isReplay && !isFirstReplay ? buffer.sift(found) : found;
    });
    if (!polls.isMissing()) buffer.drop();
    if (taken.length === 0) return;
    await commit(taken, polls.isMissing() || isUnreadable ? undefined : nex.now());
    for (const made of batches.flatMap(({ isReplay, insights }) => (isReplay ? [] : insights.map(createdAt))))
      if (made !== undefined) nex.delays.observe((nex.now() - made) / 1000);
    log.debug({ insights: taken.length }, "insights received");
  };

  const lost = async ({ error, failures, retryInMs }: Loss) => {
    failure = describeLoss(error);
    const isRefusal = isKeyRefused(error);
    const told = proceed({ kind: "lost", failures, retryInMs, code: failure.code, isRefusal });
    nex.status.nextAttemptAt = isoTime(clock.now() + retryInMs);
    showHealth();
    log[told.length > 0 ? "warn" : "debug"](
      { ...failure, failures, state: current.state, retryInMs: Math.round(retryInMs) },
      "the insight stream is lost",
    );
    if (told.length > 0) await commit(told);
    polls.wake();
  };

  const tick = async () => {
    let offset = clock.now() - clock.monotonic();
    let coveredAt = clock.monotonic();
    for (;;) {
      await clock.sleep(TICK_MS, signal);
      const jumpMs = clock.now() - clock.monotonic() - offset;
      if (Math.abs(jumpMs) > JUMP_MS) {
        offset += jumpMs;
        log.info({ jumpMs: Math.round(jumpMs) }, "the clock jumped, or the machine slept");
        if (current.state === "live") polls.request(nex.now());
        showHealth();
      }
      const told = [...proceed({ kind: "tick" }), ...buffer.overdue()];
      if (told.length > 0 || untold.length > 0) await commit(told);
      if (told.length > 0) polls.wake();
      const isDue = clock.monotonic() - coveredAt >= COVER_EVERY_MS;
      if (!isDue || current.state !== "live" || polls.isMissing()) continue;
      coveredAt = clock.monotonic();
      if (!isProven) {
        if (coveredAt - askedAt < UNPROVEN_EVERY_MS) continue;
        askedAt = coveredAt;
        polls.request(nex.now());
        continue;
      }
      if (lastSignAt > insights.coveredUntil) await commit([], lastSignAt);
    }
  };

  const activity = () => {
    lastSignAt = nex.now();
    context.progress();
  };
  const healthy = () => {
    untold.push(...proceed({ kind: "healthy" }));
    showHealth();
  };

  const all = [nex.holdStream({ began, events, activity, healthy, lost }, signal), polls.run(), tick()];
  try {
    await Promise.all(all);
  } catch (error) {
    // Only failures of Nex are waited out here; other errors are for the scheduler to report.
    if (!context.signal.aborted) throw error;
  } finally {
    over.abort();
    await Promise.allSettled(all);
  }
}

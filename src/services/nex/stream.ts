// Watches the insights of Nex: the stream, REST for what it missed and while it is down, and all reports.

import type { Failure, NewEvent } from "../../contract/new-event.ts";
import { isoTime } from "../../core/clock.ts";
import type { Loss, ServerSentEvent } from "../../http/sse.ts";
import type { JobContext } from "../job.ts";
import { readBatch } from "./client.ts";
import { type InsightLog, openInsightLog } from "./insight-log.ts";
import { createdAt } from "./insights.ts";
import { createPolls, POLL_EVERY_MS, type Polls } from "./polls.ts";
import { createReorderBuffer, type ReorderBuffer } from "./reorder-buffer.ts";
import { type Coverage, createCoverage, createJumps } from "./stream-coverage.ts";
import { describeLoss, isKeyRefused } from "./stream-failure.ts";
import { FLAPPING, INITIAL, type StreamInput, step } from "./stream-state.ts";

const TICK_MS = 5000;

const UNREADABLE: Failure = {
  code: "insight_unreadable",
  message:
    "Nex sent an insight event in an unknown shape, so it is fetched by REST instead. A newer nexusd may know the shape.",
};

/** Runs until the signal aborts. @throws StoreError, or any other error that is not a failure of Nex */
export async function watchInsights(context: JobContext): Promise<void> {
  const { nex } = context.services;
  const { insights, isFirst } = await openInsightLog(
    context.store,
    nex.now,
    (until) => {
      nex.status.coveredUntil = isoTime(until);
    },
    context.config.limits.insight_bytes,
  );
  await new InsightWatch(context, insights, isFirst).run();
}

class InsightWatch {
  readonly #context: JobContext;
  readonly #insights: InsightLog;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  readonly #polls: Polls;
  readonly #buffer: ReorderBuffer;
  readonly #coverage: Coverage;
  #current = INITIAL;
  #failure: Failure | undefined;
  /** Set by an event about insights that could not be read, until one can be. */
  #unreadable: Failure | undefined;
  #untold: NewEvent[] = [];
  /** The replay of the very first connection is history, and is accepted as it is. */
  #hasMissed: boolean;
  #isFirstReplay = false;

  constructor(context: JobContext, insights: InsightLog, isFirst: boolean) {
    const { clock, services } = context;
    this.#context = context;
    this.#insights = insights;
    this.#hasMissed = !isFirst;
    this.#signal = AbortSignal.any([context.signal, this.#over.signal]);
    this.#buffer = createReorderBuffer(clock);
    this.#coverage = createCoverage(clock, services.nex.now);
    this.#polls = createPolls({
      ...{ context, insights, signal: this.#signal },
      state: () => this.#current.state,
      onClosed: () => this.#buffer.drop(),
      onGivenUp: () => this.#buffer.release(),
      onHealth: () => this.#showHealth(),
    });
  }

  async run(): Promise<void> {
    const { services, signal } = this.#context;
    const handler = {
      began: () => this.#began(),
      events: (received: ServerSentEvent[]) => this.#received(received),
      activity: () => this.#heard(),
      healthy: () => this.#healthy(),
      lost: (loss: Loss) => this.#lost(loss),
    };
    const all = [services.nex.holdStream(handler, this.#signal), this.#polls.run(), this.#tick()];
    try {
      await Promise.all(all);
    } catch (error) {
      // Only failures of Nex are waited out here; other errors are for the scheduler to report.
      if (!signal.aborted) throw error;
    } finally {
      this.#over.abort();
      await Promise.allSettled(all);
    }
  }

  #showHealth(): void {
    const { told, state, failures } = this.#current;
    // As reported to the log: an unstable stream does not make the service change its state each time.
    const isLost = told?.kind === "lost" && state !== "live";
    // A stream that is lost again and again is not well in between, either.
    const isFlapping = failures >= FLAPPING;
    const trouble = this.#polls.failure() ?? this.#unreadable;
    this.#context.degraded(isLost || isFlapping ? this.#failure : trouble);
    this.#context.services.nex.status.isMissing = state === "live" && this.#polls.isMissing();
  }

  /** Moves to the next state, shows it, and returns what to report to the log. */
  #proceed(input: StreamInput): NewEvent[] {
    const { clock, services } = this.#context;
    const { status } = services.nex;
    const { failures, state } = this.#current;
    const { after, announce } = step(this.#current, input, clock.monotonic());
    this.#current = after;
    if (after.state !== state || status.since === null) status.since = isoTime(clock.now());
    Object.assign(status, { state: after.state, failures: after.failures });
    const source = "/nex/stream";
    const events = {
      opened: { type: "nex.stream.opened", source, data: { afterFailures: failures } },
      lost: { type: "nex.stream.lost", source, data: this.#failure ?? describeLoss(undefined) },
      fallback: {
        type: "nex.stream.fallback",
        source,
        data: { pollEveryMs: POLL_EVERY_MS, failures: after.failures },
      },
    } satisfies Record<string, NewEvent>;
    return announce.map((name) => events[name]);
  }

  /** With what was to be reported before, in order. */
  #commit(events: NewEvent[], until?: number): Promise<void> {
    return this.#insights.commit([...this.#untold.splice(0), ...events], until);
  }

  async #began(): Promise<void> {
    const { log, services } = this.#context;
    const openedAt = this.#coverage.opened();
    const afterFailures = this.#current.failures;
    const told = this.#proceed({ kind: "opened" });
    services.nex.status.nextAttemptAt = null;
    const hasMissed = this.#hasMissed;
    this.#isFirstReplay = !hasMissed;
    if (hasMissed) this.#polls.request(openedAt);
    log[told.length > 0 ? "info" : "debug"]({ afterFailures }, "the insight stream is open");
    this.#showHealth();
    await this.#commit(told, hasMissed ? undefined : openedAt);
    this.#hasMissed = true;
  }

  async #received(received: ServerSentEvent[]): Promise<void> {
    const { log, services } = this.#context;
    const { nex } = services;
    const batches = received.map(readBatch).filter((batch) => batch !== undefined);
    const isUnreadable = batches.some((batch) => batch.isUnreadable);
    if (isUnreadable && !this.#unreadable) log.warn(UNREADABLE.message);
    if (batches.length > 0) this.#unreadable = isUnreadable ? UNREADABLE : undefined;
    if (batches.some((batch) => !batch.isUnreadable)) this.#coverage.prove();
    if (isUnreadable) this.#polls.request(nex.now());
    if (batches.length > 0) this.#showHealth();
    const taken = batches.flatMap((batch) => {
      const found = this.#insights.events(batch, batch.isReplay ? "replay" : "live");
      return batch.isReplay && !this.#isFirstReplay ? this.#buffer.sift(found) : found;
    });
    if (!this.#polls.isMissing()) this.#buffer.drop();
    if (taken.length === 0) return;
    await this.#commit(taken, this.#polls.isMissing() || isUnreadable ? undefined : nex.now());
    for (const made of batches.flatMap(({ isReplay, insights }) => (isReplay ? [] : insights.map(createdAt))))
      if (made !== undefined) nex.delays.observe((nex.now() - made) / 1000);
    log.debug({ insights: taken.length }, "insights received");
  }

  #heard(): void {
    this.#coverage.sign();
    this.#context.progress();
  }

  #healthy(): void {
    this.#untold.push(...this.#proceed({ kind: "healthy" }));
    this.#showHealth();
  }

  async #lost({ error, failures, retryInMs }: Loss): Promise<void> {
    const { clock, log, services } = this.#context;
    const failure = describeLoss(error);
    this.#failure = failure;
    const isRefusal = isKeyRefused(error);
    const told = this.#proceed({ kind: "lost", failures, retryInMs, code: failure.code, isRefusal });
    services.nex.status.nextAttemptAt = isoTime(clock.now() + retryInMs);
    this.#showHealth();
    log[told.length > 0 ? "warn" : "debug"](
      { ...failure, failures, state: this.#current.state, retryInMs: Math.round(retryInMs) },
      "the insight stream is lost",
    );
    if (told.length > 0) await this.#commit(told);
    this.#polls.wake();
  }

  /** What only time brings: jumps of the clock, steps of the state, and how far the stream covers the time. */
  async #tick(): Promise<void> {
    const { clock, log, services } = this.#context;
    const jumped = createJumps(clock);
    for (;;) {
      await clock.sleep(TICK_MS, this.#signal);
      const jumpMs = jumped();
      if (jumpMs !== undefined) {
        log.info({ jumpMs }, "the clock jumped, or the machine slept");
        if (this.#current.state === "live") this.#polls.request(services.nex.now());
        this.#showHealth();
      }
      const told = [...this.#proceed({ kind: "tick" }), ...this.#buffer.overdue()];
      if (told.length > 0 || this.#untold.length > 0) await this.#commit(told);
      if (told.length > 0) this.#polls.wake();
      if (this.#current.state !== "live" || this.#polls.isMissing()) continue;
      const due = this.#coverage.due();
      if (due === "ask") this.#polls.request(services.nex.now());
      else if (due && due.until > this.#insights.coveredUntil) await this.#commit([], due.until);
    }
  }
}

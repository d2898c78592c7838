// One sink as it runs: what machine.ts decides, done. Everything goes one after the other through `#step`, which is taken
// where the log grew, the consumer moved, a time came, a wake ended or an operator asked; there is no other clock.
//
// S1  A wake goes out only after the record that counts it is on disk: a SIGKILL forgets none, and repeats none early.
// S2  Never two at once.
// S3  The position of the consumer is the truth: it is read before every wake.

import type { Logger } from "pino";
import { ulid } from "ulid";
import type { SinkStatus, SinkTest } from "../contract/api/sinks.ts";
import type { NewEvent } from "../contract/new-event.ts";
import { type Notice, noticeOf } from "../contract/notice.ts";
import type { Pending, Store } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import { SinkError } from "./errors.ts";
import type { Figures } from "./figures.ts";
import type { Outcome, Target } from "./kind.ts";
import * as machine from "./machine.ts";
import { fromRecord, type Memory, newMemory, RECORD_KIND, toRecord } from "./record.ts";
import type { SinkSettings } from "./settings.ts";
import { statusOf } from "./status.ts";

export interface SinkOptions {
  settings: SinkSettings;
  target: Target;
  store: Pick<
    Store,
    | "ackConsumer"
    | "commitObservation"
    | "countEvents"
    | "pending"
    | "putConsumer"
    | "readConsumer"
    | "readRecord"
    | "setConsumerTypes"
  >;
  clock: Clock;
  steady: Pick<SteadyClock, "ageOf">;
  random: () => number;
  log: Logger;
  figures: Figures;
  /** When the last wake of each lane went out, by the uptime of the machine; shared by all sinks. */
  lanes: Map<string, number>;
}

/** A wake under way. */
interface Handing {
  isTest: boolean;
  controller: AbortController;
  /** Resolves when it has ended, and what came of it is taken notice of; never rejects. */
  ended: Promise<void>;
}

interface Result {
  outcome: Outcome;
  rung: number;
  tookMs: number;
}

/** After a commit that failed. */
const RETRY_MS = 30_000;
/** What a target may ask for with `retryAfterMs`. */
const LONGEST_RETRY_MS = 86_400_000;
/** Its own troubles are events as well: they wait for the next wake, unless the sink asks for them by name. */
const OWN_EVENTS = /^nexusd\.sink\./;

export class Sink {
  readonly settings: SinkSettings;
  readonly #options: SinkOptions;
  readonly #policy: machine.Policy;
  #memory: Memory;
  /** The newest that was heard of the consumer's position. */
  #position = 0;
  /** The oldest pending event, as far as it was read. */
  #oldest: { sequence: number; at: string | null } | undefined;
  #handing: Handing | undefined;
  #result: Result | undefined;
  /** Events that are still to be committed. */
  #unsaved: NewEvent[] = [];
  #turn: Promise<void> | undefined;
  #isAskedAgain = false;
  #cancelTimer = () => {};
  #isStarted = false;
  #isStopped = false;

  constructor(options: SinkOptions) {
    const { settings, target, clock } = options;
    this.settings = settings;
    this.#options = options;
    this.#policy = {
      debounceMs: settings.debounce,
      stuckAfterMs: settings.stuck_after,
      maxWakesPerHour: settings.max_wakes_per_hour,
      leastIntervalMs: target.leastIntervalMs ?? 0,
    };
    this.#memory = newMemory(0, clock.uptime());
  }

  /** Takes up what an earlier life has left. @throws StoreError */
  async start({ isChanged = false } = {}): Promise<void> {
    const { store, clock, steady, log } = this.#options;
    const { name } = this.settings;
    this.#position = await this.#adoptConsumer();
    const now = clock.uptime();
    const record = await store.readRecord(RECORD_KIND, name);
    const memory = record && fromRecord(record.value, now, steady.ageOf);
    if (record && !memory) log.warn("what this sink remembered cannot be read: it begins anew");
    this.#memory = memory ?? newMemory(this.#position, now);
    // Another target may take what the last one refused for good.
    if (isChanged && this.#memory.pausedBy === "target") this.#memory.pausedBy = null;
    const { wakeId } = this.#memory;
    if (wakeId !== null) await this.#options.target.endAbandoned?.(wakeId).catch(() => {});
    this.#memory.wakeId = null;
    this.#noteInLane(this.#memory.state.recent.at(-1));
    this.#isStarted = true;
    this.look();
  }

  /** The log grew. Where something is pending already, a wake covers what is new, too. */
  appended(): void {
    if (this.#memory.state.phase === "quiet") this.look();
  }

  /** The consumer is at another place; 0: it may have been deleted. */
  moved(position: number): void {
    this.#position = position;
    this.look();
  }

  /** Sees what there is to do. Never rejects; a look under way is followed by another one. */
  look(): void {
    if (!this.#isStarted || this.#isStopped) return;
    if (this.#turn) {
      this.#isAskedAgain = true;
      return;
    }
    this.#turn = this.#takeTurns().finally(() => {
      this.#turn = undefined;
      if (this.#isAskedAgain) this.look();
    });
  }

  async #takeTurns(): Promise<void> {
    do {
      this.#isAskedAgain = false;
      try {
        await this.#step();
      } catch (error) {
        this.#options.log.warn({ err: error }, "a sink cannot read or write the database: it tries again");
        this.#arm(this.#options.clock.uptime() + RETRY_MS);
        return;
      }
    } while (this.#isAskedAgain && !this.#isStopped);
  }

  async #step(): Promise<void> {
    const { clock, random } = this.#options;
    const before = this.#memory.state;
    const result = this.#result;
    this.#result = undefined;
    const isDelivered = result !== undefined && (await this.#finish(result));

    const pending = await this.#readPending();
    const isPending = this.#isWorthAWake(pending);
    const from = this.#memory.position;
    const to = this.#position;
    const now = clock.uptime();
    let { state } = this.#memory;
    if (to > from) await this.#countAcknowledged(from, to);
    this.#memory.position = to;
    if (isDelivered) state = machine.delivered(state, isPending, now);
    else if (to > from) state = machine.acknowledged(state, isPending, this.#policy, now, random);
    else state = machine.looked(state, isPending, this.#policy, now);
    this.#oldest = pending.oldest === null ? undefined : { sequence: pending.oldest, at: pending.oldestAt };
    this.#memory.state = state;
    this.#noteTrouble(before, pending, now);

    if (this.#mayWake(now)) return await this.#wake(pending, now);
    if (result || before !== this.#memory.state || this.#unsaved.length > 0) await this.#save();
    this.#arm();
  }

  /** Takes notice of how a wake ended. @returns whether its events were taken over */
  async #finish({ outcome, rung, tookMs }: Result): Promise<boolean> {
    const { clock, store, log, figures } = this.#options;
    const { name, consumer } = this.settings;
    const memory = this.#memory;
    const at = isoTime(clock.now());
    memory.wakeId = null;
    figures.of(name).outcomes[outcome.kind] += 1;
    let isDelivered = false;
    let retryAfterMs = 0;
    if (outcome.kind === "acknowledged") {
      const before = this.#position;
      const moved = await store.ackConsumer(consumer, outcome.upTo);
      if (moved && moved !== "bound") this.#position = moved.position;
      isDelivered = this.#position > before;
    }
    if (outcome.kind === "refused") {
      const { code, message, isFinal = false } = outcome;
      retryAfterMs = Math.min(outcome.retryAfterMs ?? 0, LONGEST_RETRY_MS);
      memory.lastError = { code, message, at };
      if (isFinal) memory.pausedBy = "target";
      if (memory.failedSince === null || isFinal) {
        memory.failedSince ??= at;
        log.warn(
          { code },
          `${isFinal ? "the target refuses for good: the sink is paused" : "the target refuses a wake"}: ${message}`,
        );
        this.#tell({ type: "sink.failed", data: { sink: name, code, message, isFinal } });
      }
    } else if (memory.failedSince !== null) {
      log.info("the target takes wakes again");
      this.#tell({ type: "sink.recovered", data: { sink: name, from: "failed", since: memory.failedSince } });
      memory.failedSince = null;
    }
    if (!isDelivered)
      memory.state = machine.ended(
        memory.state,
        { rung, tookMs, retryAfterMs },
        this.#policy,
        clock.uptime(),
      );
    return isDelivered;
  }

  /** Tells of it where the sink has become stuck, or is so no more. */
  #noteTrouble(before: machine.State, pending: Pending, now: number): void {
    const { log } = this.#options;
    const { name, consumer } = this.settings;
    const { state, pausedBy } = this.#memory;
    if (before.stuckSince !== null && state.stuckSince === null) {
      log.info("the sink is not stuck any more");
      this.#tell({
        type: "sink.recovered",
        data: { sink: name, from: "stuck", since: this.#wall(before.stuckSince) },
      });
    }
    const at = machine.stuckAt(state, this.#policy);
    if (at === undefined || at > now || pausedBy !== null || state.unreadSince === null) return;
    this.#memory.state = machine.stuck(state, now);
    const since = this.#wall(state.unreadSince);
    log.warn(
      { consumer, pending: pending.count, wakes: state.rung, since },
      `the sink is stuck: nobody acknowledges what "${consumer}" has pending; see whether its reader runs`,
    );
    this.#tell({
      type: "sink.stuck",
      data: { sink: name, consumer, since, pending: pending.count, wakes: state.rung },
    });
  }

  /** When the next wake goes out, whatever woke the same target last; undefined: nothing is pending. */
  #wakeAt(state = this.#memory.state): number | undefined {
    const { target, lanes } = this.#options;
    const at = machine.wakeAt(state, this.#policy);
    const last = target.lane === undefined ? undefined : lanes.get(target.lane);
    return at === undefined || last === undefined ? at : Math.max(at, last + this.#policy.leastIntervalMs);
  }

  #noteInLane(at: number | undefined): void {
    const { target, lanes } = this.#options;
    if (target.lane === undefined || at === undefined) return;
    lanes.set(target.lane, Math.max(at, lanes.get(target.lane) ?? at));
  }

  #mayWake(now: number): boolean {
    const at = this.#wakeAt();
    const isFree = !this.#handing && this.#memory.pausedBy === null && !this.#isStopped;
    return at !== undefined && at <= now && isFree;
  }

  async #wake(pending: Pending, now: number): Promise<void> {
    const { clock, random, log } = this.#options;
    const memory = this.#memory;
    const before = memory.state;
    const wakeId = ulid(clock.now());
    this.#noteInLane(now);
    memory.state = machine.woke(before, now, random);
    Object.assign(memory, { wakeId, lastWakeAt: isoTime(clock.now()), wakes: memory.wakes + 1 });
    try {
      await this.#save({ isUrgent: true });
    } catch (error) {
      // Not on disk, not sent: as if its time had not come.
      memory.state = before;
      Object.assign(memory, { wakeId: null, wakes: memory.wakes - 1 });
      throw error;
    }
    if (this.#isStopped) return;
    const { rung } = memory.state;
    const startedAt = clock.uptime();
    const notice = noticeOf(this.settings.consumer, pending, { sink: this.settings.name });
    log.debug({ wakeId, pending: pending.count, rung }, "wakes");
    this.#hand(notice, wakeId, (outcome) => {
      this.#result = { outcome, rung, tookMs: clock.uptime() - startedAt };
    });
    this.#arm();
  }

  #hand(notice: Notice, wakeId: string, done: (outcome: Outcome) => void): Promise<void> {
    const { target, log } = this.#options;
    const controller = new AbortController();
    const { signal } = controller;
    const handOver = async (): Promise<Outcome> => {
      try {
        return await target.hand(notice, { signal, wakeId });
      } catch (error) {
        log.debug({ err: error }, "a sink's target failed");
        const message = 'the wake failed inside nexusd: log_level = "debug" shows why';
        return { kind: "refused", code: "internal_error", message };
      }
    };
    const ended = handOver().then((outcome) => {
      this.#handing = undefined;
      if (signal.aborted) this.#options.figures.of(this.settings.name).outcomes.lost += 1;
      else done(outcome);
      this.look();
    });
    this.#handing = { isTest: notice.test === true, controller, ended };
    return ended;
  }

  /**
   * Wakes now, whatever time it was to be. Resolves when that has ended.
   * @throws SinkError, StoreError
   */
  async wakeNow(): Promise<void> {
    const { clock } = this.#options;
    this.#refuseWhileBusy();
    if (this.#memory.pausedBy !== null)
      throw new SinkError(
        "sink_paused",
        `The sink is paused. Resume it first: nexusctl sinks resume ${this.settings.name}`,
      );
    await this.#settled();
    const { state } = this.#memory;
    if (state.phase === "quiet")
      throw new SinkError(
        "nothing_pending",
        "Nothing is pending, so there is nothing to wake for. `test` sends a wake all the same.",
      );
    const now = clock.uptime();
    const soon = { ...state, nextAt: now };
    const waitMs = (this.#wakeAt(soon) ?? now) - now;
    if (waitMs > 0)
      throw new SinkError(
        "too_many_wakes",
        `It was woken ${this.#policy.maxWakesPerHour} times within the hour, or just now: the next wake can go out in ${Math.ceil(waitMs / 1000)} s. max_wakes_per_hour is its limit.`,
        waitMs,
      );
    this.#refuseWhileBusy();
    this.#memory.state = soon;
    await this.#settled();
    await this.#handing?.ended;
    await this.#settled();
  }

  /** Hands over once, marked as a test, which counts for nothing. @throws SinkError, StoreError */
  async test(): Promise<SinkTest> {
    const { clock } = this.#options;
    this.#refuseWhileBusy();
    const pending = await this.#readPending();
    this.#refuseWhileBusy();
    const startedAt = clock.monotonic();
    const notice = noticeOf(this.settings.consumer, pending, { sink: this.settings.name, isTest: true });
    let outcome: Outcome | undefined;
    await this.#hand(notice, ulid(clock.now()), (what) => {
      outcome = what;
    });
    const refusal = outcome?.kind === "refused" ? outcome : undefined;
    return {
      outcome: outcome?.kind ?? "refused",
      code: refusal?.code ?? null,
      message: refusal?.message ?? null,
      tookMs: clock.monotonic() - startedAt,
    };
  }

  #refuseWhileBusy(): void {
    if (this.#handing || this.#isStopped)
      throw new SinkError("sink_busy", "A wake is under way. Wait until it has ended.");
  }

  /** No wake until `resume`; one under way goes on. Durable when this resolves. @throws StoreError */
  async pause(): Promise<void> {
    this.#memory.pausedBy ??= "operator";
    await this.#save({ isUrgent: true });
    this.#arm();
  }

  /** @throws StoreError */
  async resume(): Promise<void> {
    if (this.#memory.pausedBy === null) return;
    this.#memory.pausedBy = null;
    this.#memory.state = machine.resumed(this.#memory.state, this.#policy, this.#options.clock.uptime());
    await this.#save({ isUrgent: true });
    this.look();
  }

  /** @throws StoreError */
  async status(): Promise<SinkStatus> {
    const { clock, figures } = this.#options;
    return statusOf({
      settings: this.settings,
      memory: this.#memory,
      pending: await this.#readPending(),
      figures: figures.of(this.settings.name),
      nextAt: this.#wakeAt(),
      isRunning: this.#handing !== undefined,
      wall: (at) => this.#wall(at),
      now: clock.uptime(),
    });
  }

  /** Ends a wake under way. Resolves when nothing of this sink goes on; never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    await this.#turn;
    this.#handing?.controller.abort(new Error("the sink is stopping"));
    await this.#handing?.ended;
    this.#memory.wakeId = null;
    await this.#save().catch(() => {});
    await this.#options.target.close?.().catch(() => {});
  }

  /** Resolves when the looks that are under way have ended. */
  async #settled(): Promise<void> {
    this.look();
    while (this.#turn) await this.#turn;
  }

  async #readPending(): Promise<Pending> {
    const { store } = this.#options;
    const { consumer } = this.settings;
    const pending = await store.pending(consumer);
    if (pending) return pending;
    this.#options.log.warn(
      { consumer },
      "the consumer of this sink was deleted: it is made again, at the end of the log",
    );
    this.#position = await this.#adoptConsumer();
    return (await store.pending(consumer)) ?? NOTHING;
  }

  /** Its consumer with its types, made at the end of the log where there is none. @returns where it is */
  async #adoptConsumer(): Promise<number> {
    const { store } = this.#options;
    const { consumer, types } = this.settings;
    const wanted = types.includes("*") ? null : types;
    const isNew = true;
    const made = await store.putConsumer(consumer, "latest", wanted ?? undefined, undefined, { isNew });
    const found = typeof made === "object" ? made : await store.setConsumerTypes(consumer, wanted);
    return found?.position ?? 0;
  }

  #isWorthAWake({ count, isMore, types }: Pending): boolean {
    if (count === 0 || isMore) return count > 0;
    if (this.settings.types.some((type) => /^(nexusd\.)?sink\./.test(type))) return true;
    return Object.keys(types).some((type) => !OWN_EVENTS.test(type));
  }

  async #countAcknowledged(after: number, upTo: number): Promise<void> {
    const { store, clock, figures } = this.#options;
    const { name, types } = this.settings;
    const range = { after, upTo, ...(types.includes("*") ? {} : { types }) };
    this.#memory.acknowledged += await store.countEvents(range);
    this.#memory.lastAcknowledgedAt = isoTime(clock.now());
    const oldest = this.#oldest;
    if (oldest?.at && oldest.sequence <= upTo) figures.delayed(name, clock.now() - Date.parse(oldest.at));
  }

  #tell(event: Pick<NewEvent, "type" | "data">): void {
    const { name } = this.settings;
    // What was put together here is of one type with its data.
    this.#unsaved.push({ ...event, source: `/sinks/${name}`, subject: name } as NewEvent);
  }

  async #save({ isUrgent = false } = {}): Promise<void> {
    const { store, clock } = this.#options;
    const events = this.#unsaved;
    this.#unsaved = [];
    const value = toRecord(this.#memory, clock.uptime(), clock.now());
    try {
      await store.commitObservation({
        source: `sink:${this.settings.name}`,
        ...{ events, canWait: !isUrgent },
        put: [{ kind: RECORD_KIND, key: this.settings.name, value }],
      });
    } catch (error) {
      this.#unsaved = [...events, ...this.#unsaved];
      throw error;
    }
  }

  /** Looks again at the next time at which something is to happen, or at this one. Where nothing is, no timer runs. */
  #arm(at = this.#nextAt()): void {
    const { clock } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer =
      at === undefined || this.#isStopped
        ? () => {}
        : clock.after(Math.max(0, at - clock.uptime()), () => this.look());
  }

  #nextAt(): number | undefined {
    const { state, pausedBy } = this.#memory;
    if (pausedBy !== null) return undefined;
    const times = [machine.stuckAt(state, this.#policy), ...(this.#handing ? [] : [this.#wakeAt()])].filter(
      (at) => at !== undefined,
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #wall(at: number): string {
    const { clock } = this.#options;
    return isoTime(Math.round(clock.now() - (clock.uptime() - at)));
  }
}

const NOTHING: Pending = { count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} };

// A sink as it runs: what machine.ts decides, done. Everything goes one after the other through `#step`, which is taken
// where the log grew, the consumer moved, a time came, a wake ended or an operator asked; there is no other clock.
//
// S1  A wake goes out only after the record that counts it is on disk: a SIGKILL forgets none, and repeats none early.
// S2  Never two at once.
// S3  The position of the consumer is the truth: it is read before every wake.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "pino";
import { ulid } from "ulid";
import { noticeOf } from "../contract/notice.ts";
import type { Pending, Store } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import type { Figures } from "./figures.ts";
import { createHanding, type Handing } from "./handing.ts";
import { createKeeper, type Keeper } from "./keeper.ts";
import type { Outcome, Target } from "./kind.ts";
import { type Lane, type Lanes, laneOf } from "./lanes.ts";
import * as machine from "./machine.ts";
import { createReader, type Reader } from "./reader.ts";
import { fromRecord, type Memory, newMemory, RECORD_KIND } from "./record.ts";
import type { SinkSettings } from "./settings.ts";
import { createTroubles, type Troubles } from "./trouble.ts";

export interface RunnerOptions {
  settings: SinkSettings;
  target: Target;
  store: Store;
  clock: Clock;
  steady: Pick<SteadyClock, "ageOf">;
  random: () => number;
  log: Logger;
  figures: Figures;
  lanes: Lanes;
}

interface Result {
  /** Undefined: it was ended before it had one. */
  outcome: Outcome | undefined;
  /** As it was when it went out. */
  unreadSince: number | null;
  tookMs: number;
}

/** After a look at the database that failed. */
const RETRY_MS = 30_000;
/** What a target may ask for with `retryAfterMs`. */
const LONGEST_RETRY_MS = 86_400_000;

export class Runner {
  readonly settings: SinkSettings;
  readonly options: RunnerOptions;
  readonly policy: machine.Policy;
  readonly reader: Reader;
  readonly handing: Handing;
  readonly keeper: Keeper;
  readonly #troubles: Troubles;
  readonly #lane: Lane;
  memory: Memory;
  /** The oldest pending event, as far as it was read. */
  #oldest: Pick<Pending, "oldest" | "oldestAt"> | undefined;
  #result: Result | undefined;
  #turns: Promise<void> | undefined;
  #isAskedAgain = false;
  #cancelTimer = () => {};
  #isStarted = false;
  isStopped = false;
  /** In a fleet, under the lease of the sink, whoever asks for it: a commit without the lease is refused. */
  #within: <T>(work: () => T) => T = (work) => work();

  constructor(options: RunnerOptions) {
    const { settings, target, store, clock, log, lanes } = options;
    this.settings = settings;
    this.options = options;
    this.policy = {
      debounceMs: settings.debounce,
      stuckAfterMs: settings.stuck_after,
      maxWakesPerHour: settings.max_wakes_per_hour,
      leastIntervalMs: target.leastIntervalMs ?? 0,
    };
    this.reader = createReader(settings, store, log);
    this.handing = createHanding(target, log);
    this.keeper = createKeeper(settings.name, store, clock);
    this.#troubles = createTroubles(settings, log);
    this.#lane = laneOf(target, lanes);
    this.memory = newMemory(0, clock.uptime());
  }

  /** Resumes what an earlier life left. @param isChanged it replaces another one. @throws StoreError */
  async start({ isChanged = false } = {}): Promise<void> {
    const { store, clock, target } = this.options;
    if (store.shared) this.#within = AsyncLocalStorage.snapshot();
    await this.reader.adopt();
    const now = clock.uptime();
    await this.recall();
    if (isChanged) {
      this.memory.state = machine.underNewPolicy(this.memory.state, this.policy, now);
      // A new target may accept what the last one refused permanently.
      if (this.memory.pausedBy === "target") this.memory.pausedBy = null;
    }
    const { wakeId } = this.memory;
    if (wakeId !== null) await target.endAbandoned?.(wakeId).catch(() => {});
    this.memory.wakeId = null;
    const last = this.memory.state.recent.at(-1);
    if (last !== undefined) this.#lane.note(last);
    this.#isStarted = true;
    this.look();
  }

  /** Reads what was stored of it, by this node or another. @throws StoreError */
  async recall(): Promise<void> {
    const { store, clock, steady, log } = this.options;
    const now = clock.uptime();
    const record = await store.readRecord(RECORD_KIND, this.settings.name);
    const memory = record && fromRecord(record.value, now, steady.ageOf);
    if (record && !memory) log.warn("the stored state of this sink cannot be read: it starts over");
    this.memory = memory ?? newMemory(this.reader.position, now);
  }

  /** @throws StoreError */
  save(): Promise<void> {
    return this.#within(() => this.keeper.save(this.memory));
  }

  /** The log grew. If something is pending already, a wake covers the new events, too. */
  appended(): void {
    // A look under way may have read what was pending before, and find the sink quiet. In a fleet it may have been
    // acknowledged on another node, unnoticed.
    if (this.memory.state.phase === "quiet" || this.#turns || this.options.store.shared) this.look();
  }

  /** The consumer moved; 0: it may have been deleted. */
  moved(position: number): void {
    this.reader.position = position;
    this.look();
  }

  /** Checks what there is to do. Never rejects; a check in progress is followed by another one. */
  look(): void {
    if (!this.#isStarted || this.isStopped) return;
    this.#isAskedAgain = true;
    this.#turns ??= this.#within(() => this.#takeTurns()).finally(() => {
      this.#turns = undefined;
      if (this.#isAskedAgain) this.look();
    });
  }

  async #takeTurns(): Promise<void> {
    const { clock, log } = this.options;
    while (this.#isAskedAgain && !this.isStopped) {
      this.#isAskedAgain = false;
      try {
        await this.#step();
      } catch (error) {
        log.warn({ err: error }, "a sink cannot read or write the database: it tries again");
        this.arm(clock.uptime() + RETRY_MS);
      }
    }
  }

  async #step(): Promise<void> {
    const { clock, random } = this.options;
    const memory = this.memory;
    const before = memory.state;
    const result = this.#result;
    this.#result = undefined;
    const isDelivered = result !== undefined && (await this.#finish(result));

    const pending = await this.reader.pending();
    const isPending = this.reader.isWorthAWake(pending);
    const from = memory.position;
    const to = this.reader.position;
    if (to > from) await this.#countAcknowledged(from, to);
    memory.position = to;
    this.#oldest = pending;

    const now = clock.uptime();
    if (isDelivered) memory.state = machine.delivered(memory.state, isPending, now);
    else if (to > from)
      memory.state = machine.acknowledged(memory.state, isPending, this.policy, now, random);
    else memory.state = machine.looked(memory.state, isPending, this.policy, now);
    this.#seeWhetherStuck(before, pending, now);

    if (this.#mayWake(now)) await this.#wake(pending, now);
    else if (result || before !== memory.state || this.keeper.hasNews()) await this.keeper.save(memory);
    this.arm();
  }

  /** Records how a wake ended. @returns whether its events were accepted */
  async #finish({ outcome, unreadSince, tookMs }: Result): Promise<boolean> {
    const { clock, figures } = this.options;
    const memory = this.memory;
    memory.wakeId = null;
    figures.of(this.settings.name).outcomes[outcome?.kind ?? "lost"] += 1;
    if (!outcome) return false;
    this.keeper.tell(...this.#troubles.ofOutcome(memory, outcome, isoTime(clock.now())));
    if (outcome.kind === "acknowledged" && (await this.reader.acknowledge(outcome.upTo))) return true;
    const wanted = outcome.kind === "refused" ? (outcome.retryAfterMs ?? 0) : 0;
    const how = { unreadSince, tookMs, retryAfterMs: Math.min(wanted, LONGEST_RETRY_MS) };
    memory.state = machine.ended(memory.state, how, this.policy, clock.uptime());
    return false;
  }

  #seeWhetherStuck(before: machine.State, pending: Pending, now: number): void {
    const { state, pausedBy } = this.memory;
    if (before.stuckSince !== null && state.stuckSince === null)
      this.keeper.tell(...this.#troubles.isStuckNoMore(this.wall(before.stuckSince)));
    const at = machine.stuckAt(state, this.policy);
    if (at === undefined || at > now || pausedBy !== null || state.unreadSince === null) return;
    this.memory.state = machine.stuck(state, now);
    const since = this.wall(state.unreadSince);
    this.keeper.tell(...this.#troubles.isStuck({ since, pending: pending.count, wakes: state.woken }));
  }

  async #countAcknowledged(after: number, upTo: number): Promise<void> {
    const { clock, figures } = this.options;
    this.memory.acknowledged += await this.reader.count(after, upTo);
    this.memory.lastAcknowledgedAt = isoTime(clock.now());
    const { oldest, oldestAt } = this.#oldest ?? {};
    if (oldest && oldestAt && oldest <= upTo)
      figures.delayed(this.settings.name, clock.now() - Date.parse(oldestAt));
  }

  /** When the next wake goes out, whatever woke the same target last; undefined: nothing is pending. */
  wakeAt(state = this.memory.state): number | undefined {
    const at = machine.wakeAt(state, this.policy);
    return at === undefined ? undefined : Math.max(at, this.#lane.freeAt());
  }

  #mayWake(now: number): boolean {
    const at = this.wakeAt();
    const isFree = !this.handing.isBusy() && this.memory.pausedBy === null && !this.isStopped;
    return at !== undefined && at <= now && isFree;
  }

  async #wake(pending: Pending, now: number): Promise<void> {
    const { clock, random, log } = this.options;
    const memory = this.memory;
    const { state, wakes, lastWakeAt } = memory;
    const wakeId = ulid(Math.floor(clock.now()));
    const woken = machine.woke(state, now, random);
    this.#lane.note(now);
    Object.assign(memory, { state: woken, wakeId, wakes: wakes + 1, lastWakeAt: isoTime(clock.now()) });
    try {
      await this.keeper.save(memory);
    } catch (error) {
      // Not on disk, so not sent: as if its time had not come.
      Object.assign(memory, { state, wakeId: null, wakes, lastWakeAt });
      throw error;
    }
    // An operator may have tested it meanwhile: then this wake is none, and the ladder goes on.
    if (this.isStopped || this.handing.isBusy()) return;
    const { name, consumer } = this.settings;
    const { unreadSince } = woken;
    log.debug({ wakeId, pending: pending.count, woken: woken.woken }, "wakes");
    const startedAt = clock.uptime();
    void this.handing.hand(noticeOf(consumer, pending, { sink: name }), wakeId).then((outcome) => {
      this.#result = { outcome, unreadSince, tookMs: clock.uptime() - startedAt };
      this.look();
    });
  }

  /** Aborts the current wake. Resolves when nothing of this sink is running; never rejects. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.#cancelTimer();
    await this.#turns;
    await this.handing.abort();
    this.memory.wakeId = null;
    if (this.#isStarted) await this.save().catch(() => {});
    await this.options.target.close?.().catch(() => {});
  }

  /** Resolves when the looks that are under way have ended. */
  async settled(): Promise<void> {
    this.look();
    while (this.#turns) await this.#turns;
  }

  /** Looks again at the next time at which something is to happen, or at this one. Where nothing is, no timer runs. */
  arm(at = this.#nextAt()): void {
    const { clock } = this.options;
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    if (at === undefined || this.isStopped) return;
    this.#cancelTimer = clock.after(Math.max(0, at - clock.uptime()), () => this.look());
  }

  #nextAt(): number | undefined {
    const { state, pausedBy } = this.memory;
    if (pausedBy !== null) return undefined;
    const wakeAt = this.handing.isBusy() ? undefined : this.wakeAt();
    const times = [machine.stuckAt(state, this.policy), wakeAt].filter((at) => at !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** A time of the machine as RFC 3339. */
  wall(at: number): string {
    const { clock } = this.options;
    return isoTime(Math.round(clock.now() - (clock.uptime() - at)));
  }
}

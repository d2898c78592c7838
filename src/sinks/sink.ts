// A sink as others see it: its status, and the operator's commands. runner.ts runs it.

import { ulid } from "ulid";
import type { SinkStatus, SinkTest } from "../contract/api/sinks.ts";
import { noticeOf } from "../contract/notice.ts";
import { SinkError } from "./errors.ts";
import * as machine from "./machine.ts";
import { Runner, type RunnerOptions } from "./runner.ts";
import { statusOf } from "./status.ts";

export class Sink {
  readonly runner: Runner;

  constructor(options: RunnerOptions) {
    this.runner = new Runner(options);
  }

  /**
   * Wakes now, whatever its next time. Resolves when that has ended.
   * @throws SinkError, StoreError
   */
  async wakeNow(): Promise<void> {
    const { clock } = this.runner.options;
    const { name, max_wakes_per_hour } = this.runner.settings;
    await this.runner.settled();
    this.#refuseWhileBusy();
    const { state, pausedBy } = this.runner.memory;
    if (pausedBy !== null)
      throw new SinkError("sink_paused", `It is paused. Resume it first: nexusctl sinks resume ${name}`);
    if (state.phase === "quiet")
      throw new SinkError(
        "nothing_pending",
        "Nothing is pending, so that there is nothing to wake for. A test sends a wake all the same.",
      );
    const soon = { ...state, nextAt: clock.uptime() };
    const waitMs = (this.runner.wakeAt(soon) ?? 0) - soon.nextAt;
    if (waitMs > 0)
      throw new SinkError(
        "too_many_wakes",
        `It was woken just now, or as often as it may be within an hour (${max_wakes_per_hour}): the next wake can go out in ${Math.ceil(waitMs / 1000)} s. max_wakes_per_hour is its limit.`,
        waitMs,
      );
    this.runner.memory.state = soon;
    await this.runner.settled();
    await this.runner.handing.ended();
    await this.runner.settled();
  }

  /** Delivers once, marked as a test, which does not count. @throws SinkError, StoreError */
  async test(): Promise<SinkTest> {
    const { clock } = this.runner.options;
    const { name, consumer } = this.runner.settings;
    const pending = await this.runner.reader.pending();
    this.#refuseWhileBusy();
    const startedAt = clock.monotonic();
    const notice = noticeOf(consumer, pending, { sink: name, isTest: true });
    const outcome = await this.runner.handing.hand(notice, ulid(Math.floor(clock.now())));
    const tookMs = Math.round(clock.monotonic() - startedAt);
    // What came due meanwhile had to wait.
    this.runner.look();
    if (!outcome) return { outcome: "refused", code: "stopped", message: "the sink was stopped", tookMs };
    const { code, message } = outcome.kind === "refused" ? outcome : { code: null, message: null };
    return { outcome: outcome.kind, code, message, tookMs };
  }

  #refuseWhileBusy(): void {
    if (this.runner.handing.isBusy() || this.runner.isStopped)
      throw new SinkError("sink_busy", "A wake is under way. Wait until it has ended.");
  }

  /** No wake until `resume`; the current one goes on. Durable when this resolves. @throws StoreError */
  async pause(): Promise<void> {
    this.runner.memory.pausedBy ??= "operator";
    await this.runner.save();
    this.runner.options.log.info("the sink is paused by an operator");
    this.runner.arm();
  }

  /** @throws StoreError */
  async resume(): Promise<void> {
    if (this.runner.memory.pausedBy === null) return;
    this.runner.memory.pausedBy = null;
    this.runner.memory.state = machine.resumed(
      this.runner.memory.state,
      this.runner.policy,
      this.runner.options.clock.uptime(),
    );
    await this.runner.save();
    this.runner.options.log.info("the sink is resumed");
    this.runner.look();
  }

  /** Undefined: it is well. An operator's pause is no trouble. */
  trouble(): string | undefined {
    const { settings, memory } = this.runner;
    const { state, pausedBy, failedSince, lastError } = memory;
    if (pausedBy === "operator") return undefined;
    const { name, consumer } = settings;
    if (failedSince !== null) return `the target of the sink ${name} refuses: ${lastError?.message ?? ""}`;
    return state.stuckSince === null
      ? undefined
      : `the sink ${name} is stuck: nobody acknowledges what "${consumer}" has pending`;
  }

  /** @throws StoreError */
  async status(): Promise<SinkStatus> {
    const { clock, figures } = this.runner.options;
    return statusOf({
      ...{
        settings: this.runner.settings,
        memory: this.runner.memory,
        figures: figures.of(this.runner.settings.name),
      },
      pending: await this.runner.reader.pending(),
      nextAt: this.runner.wakeAt(),
      isRunning: this.runner.handing.isBusy(),
      wall: (at) => this.runner.wall(at),
      now: clock.uptime(),
    });
  }
}

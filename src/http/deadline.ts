// One deadline for a whole exchange, combined with the caller's signal, on the given clock. Each request has one, and
// at thousands a second their cost counts: a signal is created only for those who ask for it.

import type { Clock } from "../core/clock.ts";
import { callerOf, type Timed, timerOf } from "../core/deadlines.ts";
import type { HttpError } from "./errors.ts";

export interface DeadlineOptions {
  clock: Clock;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  /** Creates the error when it is needed, since only then is it known what was sent. */
  failure: (kind: "timeout" | "aborted") => HttpError;
}

/** Called when the deadline fails. */
export interface Waiter {
  giveUp(error: HttpError): void;
}

export const startDeadline = (options: DeadlineOptions): Deadline => new Deadline(options);

export class Deadline implements Timed {
  dueAt: number;
  /** Whichever came first: the time-out, or the caller's signal. */
  error: HttpError | undefined;
  readonly places = { clock: -1, caller: -1 };
  readonly #options: DeadlineOptions;
  readonly #waiters: Waiter[] = [];
  #controller: AbortController | undefined;

  constructor(options: DeadlineOptions) {
    const { clock, timeoutMs, signal } = options;
    this.#options = options;
    this.dueAt = clock.monotonic() + timeoutMs;
    if (signal?.aborted) this.fail("aborted");
    else {
      timerOf(clock).add(this);
      if (signal) callerOf(signal).add(this);
    }
  }

  /** Aborts with the error. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      this.add({ giveUp: (error) => controller.abort(error) });
    }
    return this.#controller.signal;
  }

  /** Calls the waiter once it fails, immediately if it already has. */
  add(waiter: Waiter): void {
    if (this.error) waiter.giveUp(this.error);
    else this.#waiters.push(waiter);
  }

  delete(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at >= 0) this.#waiters.splice(at, 1);
  }

  /** The result of `work`, or a rejection as soon as the deadline fails, whatever `work` is waiting for. */
  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiter = { giveUp: reject };
      this.add(waiter);
      work.then(resolve, reject).then(() => this.delete(waiter));
    });
  }

  /** Restarts the time from now, the whole time or another one. */
  restart(timeoutMs = this.#options.timeoutMs): void {
    const dueAt = this.#options.clock.monotonic() + timeoutMs;
    // The timer expects that it only ever moves away.
    const isSooner = dueAt < this.dueAt;
    if (isSooner) timerOf(this.#options.clock).delete(this);
    this.dueAt = dueAt;
    if (isSooner) timerOf(this.#options.clock).add(this);
  }

  /** The time no longer counts; the caller's signal still does. */
  lift(): void {
    timerOf(this.#options.clock).delete(this);
  }

  /** Neither counts any longer; nothing stays registered on the clock or the caller's signal. */
  end(): void {
    this.lift();
    const { signal } = this.#options;
    if (signal) callerOf(signal).delete(this);
  }

  fail(kind: "timeout" | "aborted"): void {
    if (this.error) return;
    this.error = this.#options.failure(kind);
    this.end();
    for (const waiter of this.#waiters.splice(0)) waiter.giveUp(this.error);
  }
}

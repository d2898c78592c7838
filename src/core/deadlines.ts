// All deadlines of a clock share a timer, and all deadlines with the same caller share a listener: at thousands a
// second, one for each would cost more than the requests.

import type { Clock } from "./clock.ts";

type Place = "clock" | "caller";

/** What the timer and the caller know of a deadline. */
export interface Timed {
  /** On the monotonic clock. It may be moved. */
  readonly dueAt: number;
  /** Its position among those of its clock and of its caller; -1: none. */
  readonly places: Record<Place, number>;
  fail(kind: "timeout" | "aborted"): void;
}

/** Unordered. A Set with this much churn leaves old tables behind, which keep their content alive. */
class Deadlines {
  readonly #place: Place;
  readonly #all: Timed[] = [];

  constructor(place: Place) {
    this.#place = place;
  }

  get size(): number {
    return this.#all.length;
  }

  /** As it is now, whatever changes meanwhile. */
  copy(): Timed[] {
    return [...this.#all];
  }

  add(deadline: Timed): void {
    deadline.places[this.#place] = this.#all.length;
    this.#all.push(deadline);
  }

  /** @returns whether it was there */
  delete({ places }: Timed): boolean {
    const at = places[this.#place];
    if (at < 0) return false;
    places[this.#place] = -1;
    const last = this.#all.pop();
    if (last && last.places !== places) {
      this.#all[at] = last;
      last.places[this.#place] = at;
    }
    return true;
  }
}

/** The timer of all deadlines of a clock. Set for the first that is due, and off if there is none. */
class Timer {
  readonly #clock: Clock;
  readonly #running = new Deadlines("clock");
  #at = Number.POSITIVE_INFINITY;
  #cancel = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(deadline: Timed): void {
    this.#running.add(deadline);
    if (deadline.dueAt < this.#at) this.#set(deadline.dueAt);
  }

  delete(deadline: Timed): void {
    if (!this.#running.delete(deadline) || this.#running.size > 0) return;
    this.#cancel();
    this.#at = Number.POSITIVE_INFINITY;
  }

  #set(at: number): void {
    this.#cancel();
    this.#at = at;
    this.#cancel = this.#clock.after(at - this.#clock.monotonic(), () => this.#look());
  }

  /** Those that have ended since, or restarted, are not due. */
  #look(): void {
    const first = this.#first();
    // If the process was busy or stopped, the answer may already be there, unread: it gets one turn of the event loop.
    if (first <= this.#clock.monotonic()) this.#cancel = this.#clock.after(0, () => this.#ring());
    else this.#set(first);
  }

  #ring(): void {
    const now = this.#clock.monotonic();
    for (const deadline of this.#running.copy()) if (deadline.dueAt <= now) deadline.fail("timeout");
    if (this.#running.size > 0) this.#set(this.#first());
  }

  #first(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#running.copy()) first = Math.min(first, dueAt);
    return first;
  }
}

const timers = new WeakMap<Clock, Timer>();

export function timerOf(clock: Clock): Timer {
  const known = timers.get(clock);
  if (known) return known;
  const made = new Timer(clock);
  timers.set(clock, made);
  return made;
}

/** The deadlines of one caller, with one listener. */
class Caller {
  readonly #signal: AbortSignal;
  readonly #deadlines = new Deadlines("caller");
  readonly #onAbort = () => {
    for (const deadline of this.#deadlines.copy()) deadline.fail("aborted");
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(deadline: Timed): void {
    if (this.#deadlines.size === 0) this.#signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#deadlines.add(deadline);
  }

  delete(deadline: Timed): void {
    if (!this.#deadlines.delete(deadline) || this.#deadlines.size > 0) return;
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

const callers = new WeakMap<AbortSignal, Caller>();

/** Creates one if missing; nothing stays on the signal after its last deadline has ended. */
export function callerOf(signal: AbortSignal): Caller {
  const known = callers.get(signal);
  if (known) return known;
  const made = new Caller(signal);
  callers.set(signal, made);
  return made;
}

// How long the leases of this node are certain, judged without any wall clock.
//
// A renewal is a beat in the node's row. This node counts its leases as held for LEASE_MS from the moment it SENT the last
// beat that was answered. Another node gives it up only after two reads of the same beat at least LEASE_MS apart, by its
// own monotonic clock, or once the server says that the process is gone. The first of these reads came after the beat, so
// the time of the others always ends later, however long an answer took, whichever of them was stopped in between, and
// whatever any wall clock says.

import type { Clock } from "../../../core/clock.ts";

export const LEASE_MS = 5000;
/** Monotonic clocks of two machines can differ by some parts in ten thousand. */
const DRIFT_MS = 25;
/** Less is the resolution of the uptime. */
const SLEPT_MS = 200;

export class Tenure {
  readonly #clock: Pick<Clock, "monotonic" | "uptime" | "after">;
  readonly #onEnd: (why: string) => void;
  #until = Number.NEGATIVE_INFINITY;
  #isCertain = false;
  #asleep = 0;
  #stop: (() => void) | undefined;

  /** @param onEnd called when all leases are lost */
  constructor(clock: Pick<Clock, "monotonic" | "uptime" | "after">, onEnd: (why: string) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** A beat that was sent at this time was answered, by a session that holds the lock of the node. */
  renew(sentAt: number): void {
    this.#until = sentAt + LEASE_MS - DRIFT_MS;
    this.#isCertain = true;
    this.#asleep = this.#sleepOfMachine();
    this.#stop?.();
    // A timer can be early by a fraction of a millisecond.
    this.#stop = this.#clock.after(this.#until - this.#clock.monotonic() + 1, () =>
      this.end("it could not be renewed"),
    );
  }

  /** The server may take this process for gone, and give its leases away, until a beat is answered again. */
  doubt(): void {
    this.#isCertain = false;
  }

  end(why: string): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#until = Number.NEGATIVE_INFINITY;
    this.#onEnd(why);
  }

  isOver(): boolean {
    return this.#clock.monotonic() >= this.#until;
  }

  /** Until when no other node can hold what this one does; in the past where that is not certain. */
  heldUntil(): number {
    // The monotonic clock stands still while the machine sleeps, and the other nodes go on.
    const hasSlept = this.#sleepOfMachine() - this.#asleep > SLEPT_MS;
    return this.#isCertain && !hasSlept ? this.#until : Number.NEGATIVE_INFINITY;
  }

  #sleepOfMachine(): number {
    return this.#clock.uptime() - this.#clock.monotonic();
  }
}

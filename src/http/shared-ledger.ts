// The used budget of a server that several nodes share, as one small value: for each holder, how many slots it has and
// for how long each may still count. It contains no time of a clock that all would have to agree on: a slot counts for
// a number of milliseconds after it was written, and everybody counts these from when they first read it. Only nodes on
// the same start of the same machine, which share a monotonic clock, count from when it was written. So neither a step
// of a clock nor a slow answer makes a slot count for too short a time.

import { z } from "zod";

const duration = z.number().nonnegative();

const holding = z.object({
  /** Grows each time its holder writes it. */
  beat: z.int(),
  /** The start of the machine that `at` counts from; empty: unknown. */
  boot: z.string(),
  /** When it was written, by the monotonic clock of its holder. */
  at: z.number(),
  /** Groups of slots: how long they may count from `at`, and how many there are. */
  slots: z.array(z.tuple([duration, z.int().positive()])),
  /** Requests that wait for a slot. */
  wants: z.int().nonnegative(),
  /** Those of them that may use the reserve. */
  urgent: z.int().nonnegative(),
});
export type Holding = z.output<typeof holding>;

const ledger = z.object({
  holders: z.record(z.string(), holding),
  /** Nothing is sent for so long after it was written; `id` names the answer that asked for it. */
  quiet: z.object({ id: z.string(), ms: duration }).nullable(),
});
export type SharedLedger = z.output<typeof ledger>;

/** @throws Error if it is not readable */
export function parseLedger(text: string | undefined): SharedLedger {
  return text === undefined ? { holders: {}, quiet: null } : ledger.parse(JSON.parse(text));
}

/** How long a holder that stopped writing may still count as waiting, and be remembered without slots. */
const WAITS_MS = 10_000;

export interface Sight {
  /** Slots of this holding that still count. */
  slots: number;
  /** Whether its holder has written lately that it waits for slots. */
  isWaiting: boolean;
  /** The same for requests that may use the reserve. */
  isUrgent: boolean;
  /** Whether there is nothing to remember of it. */
  isOver: boolean;
}

/** What one node has seen of the others. */
export class Sightings {
  readonly #boot: string;
  #seen = new Map<string, { beat: number; since: number }>();

  constructor(boot: string) {
    this.#boot = boot;
  }

  look(id: string, { beat, boot, at, slots, wants, urgent }: Holding, now: number): Sight {
    let seen = this.#seen.get(id);
    if (seen?.beat !== beat) {
      seen = { beat, since: boot !== "" && boot === this.#boot ? Math.min(at, now) : now };
      this.#seen.set(id, seen);
    }
    const age = now - seen.since;
    const left = slots.reduce((sum, [ms, count]) => (ms > age ? sum + count : sum), 0);
    const isFresh = age < WAITS_MS;
    return {
      ...{ slots: left, isOver: left === 0 && !isFresh },
      ...{ isWaiting: wants > 0 && isFresh, isUrgent: urgent > 0 && isFresh },
    };
  }

  /** Forgets all but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
  }
}

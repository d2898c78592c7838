// Tells the other nodes what this one did: at once, and then at most once in some milliseconds.

import type { Clock } from "../../../core/clock.ts";
import type { Connection } from "../connection.ts";
import { channelOf, type Message } from "./listener.ts";

const GATHER_MS = 10;
/** PostgreSQL takes 8000 bytes. */
const MOST_BYTES = 7000;

export interface Teller {
  tell(what: Omit<Message, "by" | "moved">): void;
  /** A consumer moved. */
  moved(consumer: string, position: number): void;
  close(): void;
}

export function createTeller(options: {
  schema: string;
  incarnation: number;
  clock: Pick<Clock, "monotonic" | "after">;
  /** Undefined: there is none, and the others see it on their own. */
  session(): Connection | undefined;
}): Teller {
  const { schema, incarnation, clock, session } = options;
  let waiting: Omit<Message, "by" | "moved"> = {};
  let moves = new Map<string, number>();
  let isDue = false;
  let lastAt = Number.NEGATIVE_INFINITY;
  let stop: (() => void) | undefined;

  const send = () => {
    if (!isDue) return;
    stop?.();
    stop = undefined;
    isDue = false;
    lastAt = clock.monotonic();
    const first = waiting;
    const all = [...moves];
    waiting = {};
    moves = new Map();
    const on = session();
    if (!on) return;
    let part: Message = { by: incarnation, ...first };
    const notify = () => {
      // Not durable: it says nothing that is not in the tables.
      on.query("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", [
        channelOf(schema),
        JSON.stringify(part),
      ]).catch(() => {});
    };
    let bytes = 0;
    for (const move of all) {
      bytes += Buffer.byteLength(JSON.stringify(move)) + 1;
      if (bytes > MOST_BYTES) {
        notify();
        part = { by: incarnation };
        bytes = 0;
      }
      part.moved = [...(part.moved ?? []), move];
    }
    notify();
  };

  const soon = () => {
    if (isDue) return;
    isDue = true;
    const waitMs = lastAt + GATHER_MS - clock.monotonic();
    if (waitMs > 0) stop = clock.after(waitMs, send);
    // With everything that the same commit did.
    else queueMicrotask(send);
  };

  return {
    tell: (what) => {
      waiting = { ...waiting, ...what };
      soon();
    },
    moved: (consumer, position) => {
      moves.set(consumer, position);
      soon();
    },
    close: send,
  };
}

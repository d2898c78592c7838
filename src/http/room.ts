// The bytes of answers that are held at once, for all services together: each answer takes room as it arrives, and
// waits if there is none, so that many large ones at once cannot end the daemon.

import type { Readable } from "node:stream";

/** Smaller answers are not counted: the number of connections limits them. */
export const UNCOUNTED_BYTES = 64 * 1024;

export interface Room {
  /**
   * @param most how large the answer may become, in bytes; limited to the whole room
   * @param whose answer it is: if several wait, those go first whose turn was longest ago
   */
  open(most: number, whose?: string): Place;
}

/** The room of one answer. */
export interface Place {
  /** Whether it may hold this many bytes in all, from now on. If not yet, `onReady` is called once it may. */
  grow(bytes: number, onReady: () => void): boolean;
  /** Releases everything, and waits for nothing; it may grow again. */
  release(): void;
}

/** Taken in advance, so that not each piece of an answer has to ask. */
const STEP_BYTES = 512 * 1024;

interface Holder {
  readonly most: number;
  readonly whose: string;
  held: number;
  wanted: number;
  onReady: (() => void) | undefined;
}

/**
 * Two half-read answers must never wait for each other: bytes are granted only if all who hold some could still finish
 * one after the other (Dijkstra's banker). Those that hold none queue behind those that wait: a service with large,
 * slow answers delays another one by at most one of its answers, however many it has.
 * @param capacity in bytes
 */
export function createRoom(capacity: number): Room {
  const holders = new Set<Holder>();
  const waiting = new Set<Holder>();
  /** When each last got some for another answer, counted in turns. */
  const turns = new Map<string, number>();
  let turn = 0;

  const isSafe = (): boolean => {
    let left = capacity;
    for (const { held } of holders) left -= held;
    if (left < 0) return false;
    for (const { most, held } of [...holders].sort((a, b) => a.most - a.held - (b.most - b.held))) {
      if (most - held > left) return false;
      left += held;
    }
    return true;
  };

  const isGiven = (holder: Holder): boolean => {
    const before = holder.held;
    holder.held = Math.min(holder.most, Math.ceil(holder.wanted / STEP_BYTES) * STEP_BYTES);
    holders.add(holder);
    if (isSafe()) {
      if (before === 0) turns.set(holder.whose, ++turn);
      return true;
    }
    holder.held = before;
    if (before === 0) holders.delete(holder);
    return false;
  };

  const tell = (holder: Holder) => {
    waiting.delete(holder);
    const { onReady } = holder;
    holder.onReady = undefined;
    onReady?.();
  };

  /** Those that wait and hold none. */
  const firstInTurn = (): Holder | undefined => {
    let first: Holder | undefined;
    for (const holder of waiting) {
      const isEarlier = !first || (turns.get(holder.whose) ?? 0) < (turns.get(first.whose) ?? 0);
      if (holder.held === 0 && isEarlier) first = holder;
    }
    return first;
  };

  const giveOut = () => {
    for (const holder of [...waiting])
      if (holder.held > 0 && waiting.has(holder) && isGiven(holder)) tell(holder);
    for (let next = firstInTurn(); next && isGiven(next); next = firstInTurn()) tell(next);
  };

  return {
    open(most, whose = "") {
      const holder: Holder = {
        ...{ most: Math.min(most, capacity), whose, held: 0, wanted: 0, onReady: undefined },
      };
      return {
        grow(bytes, onReady) {
          holder.wanted = Math.min(bytes, holder.most);
          if (holder.wanted <= holder.held) return true;
          if ((holder.held > 0 || waiting.size === 0) && isGiven(holder)) return true;
          holder.onReady = onReady;
          waiting.add(holder);
          return false;
        },
        release() {
          const isChange = waiting.delete(holder) || holder.held > 0;
          holder.held = 0;
          holder.onReady = undefined;
          holders.delete(holder);
          if (isChange) giveOut();
        },
      };
    },
  };
}

/** Resolves once the bytes read may be held, immediately if nobody counts, or when the body is over. */
export function roomFor(place: Place | undefined, bytes: number, body: Readable): Promise<void> | undefined {
  if (!place || bytes <= UNCOUNTED_BYTES) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const go = () => {
    body.off("close", go);
    resolve();
  };
  if (body.closed || place.grow(bytes, go)) return undefined;
  body.once("close", go);
  return promise;
}

// The used budget: the requests that the server may count in the window that ends now.
//
// A server counts a request at some unknown time between its start and its end, so it counts here from its start until
// one window after its end: no window can then hold more than the limit, however long a request takes. Requests are
// kept in batches, which expire as a whole. With usual limits a batch is one request. With a limit in the thousands it
// is a thousandth of the limit, so that storing usage costs next to nothing per request.

import type { Ledger } from "./ledger.ts";

/** How many requests are counted together. */
export const batchSize = (limit: number): number => Math.max(1, Math.floor(limit / 1000));

interface Batch {
  /** Where the ledger has it. */
  place: number;
  requests: number;
  underWay: number;
  /** When the last of them ended. */
  endedAt: number;
}

export interface Spent {
  /** Requests that count now. */
  count(now: number): number;
  /** When the next ones stop counting; undefined: that depends on those in progress. */
  nextAt(): number | undefined;
  /** The requests that ended less than a window ago. The others that count are in progress. */
  ended(): { endedAt: number; requests: number }[];
  begin(): Batch;
  /** Call once for each `begin`. */
  end(batch: Batch, now: number): void;
}

/** @param options.ledger what was used before the start, and where usage is stored */
export function createSpent(options: { size: number; windowMs: number; ledger?: Ledger }): Spent {
  const { size, windowMs, ledger } = options;
  const before = ledger?.ends ?? [];
  const ended = before
    .map((endedAt, place): Batch => ({ place, requests: size, underWay: 0, endedAt }))
    .sort((a, b) => a.endedAt - b.endedAt);
  let head = 0;
  const free: number[] = [];
  let places = ended.length;
  let count = ended.length * size;
  /** The one that is not full. */
  let open: Batch | undefined;

  const finish = (batch: Batch) => {
    ended.push(batch);
    ledger?.write(batch.place, batch.endedAt);
  };

  return {
    count(now) {
      // The same sum as that of `nextAt`, so that rounding cannot make the two disagree.
      if (open?.underWay === 0 && open.endedAt + windowMs <= now) {
        finish(open);
        open = undefined;
      }
      for (let first = ended[head]; first && first.endedAt + windowMs <= now; first = ended[++head]) {
        free.push(first.place);
        count -= first.requests;
      }
      // Now and then, so that each costs a constant share of it.
      if (head > 1000 && head > ended.length / 2) {
        ended.splice(0, head);
        head = 0;
      }
      return count;
    },
    nextAt() {
      const first = ended[head] ?? (open?.underWay === 0 ? open : undefined);
      return first && first.endedAt + windowMs;
    },
    ended: () => ended.slice(head),
    begin() {
      const batch = open ?? { place: free.pop() ?? places++, requests: 0, underWay: 0, endedAt: -Infinity };
      if (batch.requests === 0) ledger?.write(batch.place, Number.POSITIVE_INFINITY);
      batch.requests += 1;
      batch.underWay += 1;
      count += 1;
      open = batch.requests < size ? batch : undefined;
      return batch;
    },
    end(batch, now) {
      batch.endedAt = now;
      batch.underWay -= 1;
      if (batch.underWay === 0 && batch !== open) finish(batch);
    },
  };
}

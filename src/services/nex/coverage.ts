// Closing a window of the insight stream by REST: the list has no pages, so a full answer is split until it is not.

import { createdAt, type InsightBatch } from "./insights.ts";

/** The shortest window that is asked for: the service is known to take whole seconds. */
const SHORTEST_MS = 1000;

export interface Slice {
  from: number;
  to: number;
  /** Oldest first. */
  batch: InsightBatch;
  /** Still full at the shortest window: there may be more that cannot be had. */
  isCut: boolean;
}

/**
 * Yields the window in slices, oldest first, so that each can be committed with the time it covers.
 * @param list asks for one window; what it throws ends the generator, the slices yielded before are good
 */
export async function* readWindow(
  list: (from: number, to: number) => Promise<InsightBatch>,
  from: number,
  to: number,
  limit: number,
): AsyncGenerator<Slice> {
  const batch = await list(from, to);
  const isFull = batch.insights.length >= limit;
  if (isFull && to - from > SHORTEST_MS) {
    const middle = from + Math.ceil((to - from) / 2 / SHORTEST_MS) * SHORTEST_MS;
    yield* readWindow(list, from, middle, limit);
    // Whether the bounds are inclusive is not known: the two halves share one, and repetitions are recognised.
    if (middle < to) yield* readWindow(list, middle, to, limit);
    return;
  }
  yield { from, to, batch: { ...batch, insights: oldestFirst(batch.insights) }, isCut: isFull };
}

/** The list may come newest first, and is taken to where it does not say: those of one instant are then reversed. */
function oldestFirst(insights: InsightBatch["insights"]): InsightBatch["insights"] {
  const time = (insight: Record<string, unknown> | undefined) => (insight && createdAt(insight)) ?? 0;
  const isNewestFirst = time(insights[0]) >= time(insights.at(-1));
  return (isNewestFirst ? insights.toReversed() : insights).toSorted((a, b) => time(a) - time(b));
}

// Closes a window of the insight stream by REST: the list has no pages, so a full answer is split until it is not full.

import { HttpError } from "../../http/errors.ts";
import { createdAt, type InsightBatch } from "./insights.ts";

/** The shortest window to request: the service is known to accept whole seconds. */
const SHORTEST_MS = 1000;
/** A refused window longer than this may only be too long: the limit is undocumented. */
const SURELY_SHORT_MS = 3_600_000;

/** More is not a burst: a server that always answers so is not asked for each second of a day. */
const MOST_TOO_LARGE = 40;

export interface Slice {
  from: number;
  to: number;
  /** Oldest first. */
  batch: InsightBatch;
  /** Still full, or too large, at the shortest window: there may be more that cannot be fetched. */
  isCut: boolean;
  /** Why nothing could be read of a cut window; undefined: one answer's worth was read. */
  tooLarge: string | undefined;
  /** The whole window, of which this is a part, has more insights than one answer can hold. */
  isPartOfMore: boolean;
}

/**
 * Yields the window in slices, oldest first, so that each can be committed with the time it covers.
 * @param list requests one window; if it throws, the generator ends, and the slices yielded before are valid. A 400 for
 * a long window counts as "too long", and an answer that is too large means that the window must be split. If the
 * shortest window is too large, its time is yielded without insights, as cut; so is any window after many that were too
 * large.
 * @param from in whole seconds, like `to`
 */
export async function* readWindow(
  list: (from: number, to: number) => Promise<InsightBatch>,
  from: number,
  to: number,
  limit: number,
  isPartOfMore = false,
  patience = { left: MOST_TOO_LARGE },
): AsyncGenerator<Slice> {
  let tooLarge: string | undefined;
  const batch = await list(from, to).catch((error: unknown) => {
    const isTooLong = error instanceof HttpError && error.status === 400 && to - from > SURELY_SHORT_MS;
    if (isTooLarge(error)) tooLarge = error.message;
    else if (!isTooLong) throw error;
    return undefined;
  });
  if (tooLarge !== undefined && (to - from <= SHORTEST_MS || --patience.left < 0)) {
    yield { from, to, batch: { insights: [], workspace: null }, isCut: true, tooLarge, isPartOfMore };
    return;
  }
  const isFull = batch !== undefined && batch.insights.length >= limit;
  if (batch === undefined || (isFull && to - from > SHORTEST_MS)) {
    const middle = from + Math.ceil((to - from) / 2 / SHORTEST_MS) * SHORTEST_MS;
    yield* readWindow(list, from, middle, limit, isPartOfMore || isFull, patience);
    // It is unknown whether the bounds are inclusive: the two halves share one, and repetitions are recognised.
    if (middle < to) yield* readWindow(list, middle, to, limit, isPartOfMore || isFull, patience);
    return;
  }
  const insights = oldestFirst(batch.insights);
  yield {
    ...{ from, to, batch: { ...batch, insights } },
    ...{ isCut: isFull, tooLarge: undefined, isPartOfMore: isPartOfMore || isFull },
  };
}

/** Whether an answer was too large because of its content: for a smaller window it need not be. */
export const isTooLarge = (error: unknown): error is HttpError =>
  error instanceof HttpError && (error.code === "body_too_large" || error.code === "json_too_large");

/** The list may be newest first, and is assumed to be if it does not say: insights of one instant are then reversed. */
function oldestFirst(insights: InsightBatch["insights"]): InsightBatch["insights"] {
  const time = (insight: unknown) => createdAt(insight) ?? 0;
  const isNewestFirst = time(insights[0]) >= time(insights.at(-1));
  return (isNewestFirst ? insights.toReversed() : insights).toSorted((a, b) => time(a) - time(b));
}

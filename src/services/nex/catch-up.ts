// Fetches by REST what the stream missed, up to now; reports what cannot be fetched as a gap.

import type { NewEvent } from "../../contract/new-event.ts";
import { isoTime } from "../../core/clock.ts";
import { LIST_LIMIT } from "./client.ts";
import { isTooLarge, readWindow, type Slice } from "./coverage.ts";
import type { InsightLog, Unproven } from "./insight-log.ts";
import { createdAt, type InsightBatch } from "./insights.ts";

/** Overlap before a window, because insights are stored late. */
const OVERLAP_MS = 5 * 60_000;
/**
 * What was emitted this shortly before the end of the covered time may have been in transit when the stream was lost.
 */
const UNSURE_MS = 2 * 60_000;
/** A window ends a little later than Nex's known time, since that lags behind. */
const AHEAD_MS = 5000;
/** A service is assumed to keep its insights for at least a day, and one page of them. */
const SURELY_KEPT_MS = 24 * 3_600_000;
/** If Nex's time turns out to be this much later than known (this machine slept), there is more to fetch. */
const LAG_MS = 30_000;
/** A server whose time runs away is not followed forever. */
const MOST_ROUNDS = 3;
const BEFORE_THE_START_MS = 3_600_000;

export interface CatchUpOptions {
  insights: InsightLog;
  /** By Nex's clock; each answer of `list` may update it. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
  list(from: number, to: number): Promise<InsightBatch>;
  onProgress(): void;
}

/**
 * Fetches and commits what was emitted since `coveredUntil`, with an overlap, oldest first. After an interruption it
 * continues where it was, within the overlap too, however often that happens.
 * @throws HttpError if REST fails: what was committed stays valid, the rest remains to be fetched
 */
export async function catchUp(options: CatchUpOptions): Promise<void> {
  const { insights, now } = options;
  const interrupted = insights.pass;
  await closeWindows(options);
  if (interrupted && !interrupted.isSecond) {
    // What it fetched is as of then: insights stored late since, and not streamed, are fetched once more.
    const fetchedUntil = wholeSecond(interrupted.startedAt - OVERLAP_MS);
    insights.pass = { startedAt: now(), fetchedUntil, isSecond: true };
    await closeWindows(options);
  }
  insights.pass = undefined;
  await insights.commit([]);
}

async function closeWindows(options: CatchUpOptions): Promise<void> {
  // The answers reveal the time: if it was not known well enough, the window changes.
  for (let round = 1; !(await closeWindow(options, round < MOST_ROUNDS)); round++);
}

const wholeSecond = (ms: number) => Math.floor(ms / 1000) * 1000;

/** @returns false if the window was not closed, since it turned out to end earlier than now */
async function closeWindow(options: CatchUpOptions, mayBeLate: boolean): Promise<boolean> {
  const { insights, list, now, monotonic, onProgress } = options;
  const until = now();
  const startedAt = monotonic();
  const isLate = () => mayBeLate && now() - until - (monotonic() - startedAt) > LAG_MS;
  // If the clocks had run ahead, `coveredUntil` would be after now.
  const covered = Math.min(insights.coveredUntil, until);
  const unsureFrom = covered - UNSURE_MS;
  const resumed = insights.pass;
  const from = Math.min(resumed?.fetchedUntil ?? wholeSecond(covered - OVERLAP_MS), wholeSecond(until));
  const pass = resumed ?? { startedAt: until, fetchedUntil: from, isSecond: false };
  const to = Math.ceil((until + AHEAD_MS) / 1000) * 1000;
  const isLong = until - covered > SURELY_KEPT_MS;
  const window: Unproven = insights.unproven ?? {
    from: Math.max(unsureFrom, resumed?.fetchedUntil ?? unsureFrom),
    oldestAt: undefined,
  };
  for await (const slice of readWindow(list, from, to, LIST_LIMIT)) {
    // A page may look complete only because later insights are not in it.
    if (isLate()) {
      insights.pass = undefined;
      return false;
    }
    window.oldestAt ??= slice.batch.insights.map(createdAt).find((at) => at !== undefined);
    if (isLong || slice.isPartOfMore) insights.unproven = window;
    const gaps = slice.isCut && slice.to > unsureFrom ? cutGap(insights, slice) : [];
    insights.pass = { ...pass, fetchedUntil: Math.min(slice.to, wholeSecond(until)) };
    await insights.commit([...gaps, ...insights.events(slice.batch, "backfill")], Math.min(slice.to, until));
    onProgress();
  }
  if (!insights.unproven) return true;
  const forgotten = await findForgotten(options, window, until);
  insights.unproven = undefined;
  await insights.commit(forgotten, until);
  return true;
}

/** Whether Nex may have emitted something in the window and had removed it by now. */
async function findForgotten(
  { insights, list }: CatchUpOptions,
  { from, oldestAt }: Unproven,
  until: number,
): Promise<NewEvent[]> {
  const { begunAt } = insights;
  // Nex removes the oldest first: if something older than the window is still there, all of the window is.
  const older = oldestAt !== undefined && oldestAt <= from ? oldestAt : insights.newestAt;
  if (older !== undefined && (await isStillKept(list, older))) return [];
  // Nothing was ever seen, and nothing was fetched.
  if (older === undefined && oldestAt === undefined) return [];
  // Nothing had been seen yet: an insight from before the first start shows that everything after it is there.
  if (older === undefined && begunAt !== undefined) {
    const second = wholeSecond(begunAt);
    const before = await orTooLarge(list(second - BEFORE_THE_START_MS, second));
    if (before === "too large" || before.insights.length > 0) return [];
  }
  const isRestKept = oldestAt !== undefined && (await isStillKept(list, oldestAt));
  return gap(insights, from, isRestKept ? oldestAt : until, "Nex no longer has everything from that time");
}

async function isStillKept(list: CatchUpOptions["list"], at: number): Promise<boolean> {
  const second = Math.floor(at / 1000) * 1000;
  const found = await orTooLarge(list(second, second + 1000));
  if (found === "too large") return true;
  return found.insights.some((insight) => (createdAt(insight) ?? Number.POSITIVE_INFINITY) <= at);
}

/** An insight that is too large to be read counts as existing. */
const orTooLarge = (batch: Promise<InsightBatch>): Promise<InsightBatch | "too large"> =>
  batch.catch((error: unknown) => {
    if (isTooLarge(error)) return "too large";
    throw error;
  });

const cutGap = (insights: InsightLog, { from, to, tooLarge }: Slice) =>
  gap(
    insights,
    from,
    to,
    tooLarge ?? `more than ${LIST_LIMIT} insights in one second, the most that Nex returns`,
  );

/** The gap that remains if REST refuses permanently, up to when the stream was back. */
export const refusedGap = (insights: InsightLog, to: number, why: string): NewEvent[] =>
  gap(
    insights,
    insights.coveredUntil - UNSURE_MS,
    to + AHEAD_MS,
    `Nex refuses to list the missed insights (${why})`,
  );

/** Reported once, however often its window is requested; none for the time before nexusd existed. */
function gap({ begunAt }: InsightLog, fromMs: number, toMs: number, reason: string): NewEvent[] {
  const begins = Math.max(fromMs, begunAt ?? fromMs);
  if (begins >= toMs) return [];
  const [from, to] = [isoTime(begins), isoTime(toMs)];
  const key = `${from} ${to}`;
  return [
    {
      type: "nex.stream.gap",
      source: "/nex/stream",
      data: { from, to, reason },
      dedupe: { scope: "nex.gaps", match: [key], record: [key] },
    },
  ];
}

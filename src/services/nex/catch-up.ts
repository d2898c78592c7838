// What the stream missed: fetched by REST up to now, and what cannot be had is said as a gap.

import type { NewEvent } from "../../contract/new-event.ts";
import { isoTime } from "../../core/clock.ts";
import { LIST_LIMIT } from "./client.ts";
import { isTooLarge, readWindow, type Slice } from "./coverage.ts";
import type { InsightLog, Unproven } from "./insight-log.ts";
import { createdAt, type InsightBatch } from "./insights.ts";

/** What is asked for again before a window, because insights are stored late. */
const OVERLAP_MS = 5 * 60_000;
/** What was emitted less than this before the end of what is covered may have been on its way when the stream was lost. */
const UNSURE_MS = 2 * 60_000;
/** A window ends a little later than Nex's time is known to be, since that lags behind. */
const AHEAD_MS = 5000;
/** A service is taken to keep its insights for a day at least, and one page of them. */
const SURELY_KEPT_MS = 24 * 3_600_000;
/** Where Nex's time turns out to be so much later than was known (this machine slept), there is more to ask for. */
const LAG_MS = 30_000;
/** A server whose time runs away is not followed for ever. */
const MOST_ROUNDS = 3;
const BEFORE_THE_START_MS = 3_600_000;

export interface CatchUpOptions {
  insights: InsightLog;
  /** By Nex's clock; it may learn of it with each answer of `list`. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
  list(from: number, to: number): Promise<InsightBatch>;
  onProgress(): void;
}

/**
 * Fetches and commits what was emitted since `coveredUntil`, with an overlap, oldest first. One that was interrupted
 * goes on where it was, within the overlap too, however often that happens.
 * @throws HttpError where REST fails: what was committed before is good, the rest stays to be fetched
 */
export async function catchUp(options: CatchUpOptions): Promise<void> {
  const { insights, now } = options;
  const interrupted = insights.pass;
  await closeWindows(options);
  if (interrupted && !interrupted.isSecond) {
    // What it had fetched was as Nex had it then: what was stored late since, and not streamed, is fetched once more.
    const fetchedUntil = wholeSecond(interrupted.startedAt - OVERLAP_MS);
    insights.pass = { startedAt: now(), fetchedUntil, isSecond: true };
    await closeWindows(options);
  }
  insights.pass = undefined;
  await insights.commit([]);
}

async function closeWindows(options: CatchUpOptions): Promise<void> {
  // The answers tell the time: where it was not known well enough, the window is another one.
  for (let round = 1; !(await closeWindow(options, round < MOST_ROUNDS)); round++);
}

const wholeSecond = (ms: number) => Math.floor(ms / 1000) * 1000;

/** @returns false where the window was not closed, since it turned out to end earlier than now */
async function closeWindow(options: CatchUpOptions, mayBeLate: boolean): Promise<boolean> {
  const { insights, list, now, monotonic, onProgress } = options;
  const until = now();
  const startedAt = monotonic();
  const isLate = () => mayBeLate && now() - until - (monotonic() - startedAt) > LAG_MS;
  // Where the clocks had run ahead, `coveredUntil` would lie after now.
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
    // A page of it may look whole only because what came later is not in it.
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

/** What Nex may have emitted in the window and had forgotten when it was asked for, now that all was asked for. */
async function findForgotten(
  { insights, list }: CatchUpOptions,
  { from, oldestAt }: Unproven,
  until: number,
): Promise<NewEvent[]> {
  const { begunAt } = insights;
  // Nex forgets the oldest first: what is older than the window, and still there, shows that all of it is.
  const older = oldestAt !== undefined && oldestAt <= from ? oldestAt : insights.newestAt;
  if (older !== undefined && (await isStillKept(list, older))) return [];
  // Nothing was ever seen, and nothing was fetched.
  if (older === undefined && oldestAt === undefined) return [];
  // Nothing had been seen yet: what is kept from before the first start shows that all after it is.
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

/** What is too large to be read is there all the same. */
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

/** The gap that remains where REST refuses for good, up to when the stream was there again. */
export const refusedGap = (insights: InsightLog, to: number, why: string): NewEvent[] =>
  gap(
    insights,
    insights.coveredUntil - UNSURE_MS,
    to + AHEAD_MS,
    `Nex refuses to list the missed insights (${why})`,
  );

/** Told once, however often its window is asked for; none for the time before nexusd existed. */
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

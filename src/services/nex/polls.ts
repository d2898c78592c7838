// Fetches by REST what the stream missed: at most once a minute, one at a time, and alongside the stream.

import type { Failure, NewEvent } from "../../contract/new-event.ts";
import { isoTime } from "../../core/clock.ts";
import { HttpError } from "../../http/errors.ts";
import type { JobContext } from "../job.ts";
import { catchUp, refusedGap } from "./catch-up.ts";
import type { InsightLog } from "./insight-log.ts";
import { describeLoss, isRefusal, waitAfter } from "./stream-failure.ts";
import type { StreamStateName } from "./stream-state.ts";

export const POLL_EVERY_MS = 60_000;
/** A window that REST has refused for this long while the stream was open is given up as a gap. */
const REFUSED_FOR_GOOD_MS = 3_600_000;

export interface Polls {
  /** There is something to fetch, up to when the stream was opened: `openedAt`, by Nex's clock. */
  request(openedAt: number): void;
  /** The stream is open, but what it missed is not in the log yet. */
  isMissing(): boolean;
  /** Why not, if an attempt failed. */
  failure(): Failure | undefined;
  /** The state has changed. */
  wake(): void;
  /** Until the signal aborts, with its reason. */
  run(): Promise<void>;
}

export function createPolls(options: {
  context: JobContext;
  insights: InsightLog;
  signal: AbortSignal;
  state: () => StreamStateName;
  /** What was missed is in the log. */
  onClosed(): void;
  /** It cannot be fetched. @returns what else to report about it */
  onGivenUp(): NewEvent[];
  /** An attempt is over, however it ended. */
  onHealth(): void;
}): Polls {
  const { context, insights, signal, state } = options;
  const { clock, log } = context;
  const { nex } = context.services;
  /** What the stream missed: already requested by the last attempt, or not yet. */
  let missing: { openedAt: number } | undefined;
  let failure: Failure | undefined;
  let refusedSince: number | undefined;
  let notBefore = Number.NEGATIVE_INFINITY;
  let bell = Promise.withResolvers<void>();

  const isDue = () => state() === "polling" || (state() === "live" && missing !== undefined);

  const succeeded = (asked: typeof missing) => {
    // An outage or a clock jump since the attempt began still has to be fetched.
    if (missing === asked) {
      missing = undefined;
      options.onClosed();
    }
    failure = undefined;
    refusedSince = undefined;
    context.progress();
  };

  const failed = async (error: HttpError) => {
    const described = describeLoss(error);
    const isNews = failure?.code !== described.code;
    failure = described;
    log[isNews ? "warn" : "debug"](
      { ...described, from: isoTime(insights.coveredUntil) },
      "missed insights cannot be fetched yet",
    );
    notBefore = Math.max(notBefore, clock.monotonic() + Math.max(waitAfter(error), error.retryAfterMs ?? 0));
    refusedSince = isRefusal(error) ? (refusedSince ?? clock.monotonic()) : undefined;
    const isForGood = refusedSince !== undefined && clock.monotonic() - refusedSince >= REFUSED_FOR_GOOD_MS;
    if (!isForGood || !missing || state() !== "live") return;
    const gap = refusedGap(insights, missing.openedAt, described.code);
    insights.pass = undefined;
    await insights.commit([...gap, ...options.onGivenUp()], nex.now());
    missing = undefined;
    failure = undefined;
  };

  const attempt = async () => {
    const asked = missing;
    notBefore = clock.monotonic() + POLL_EVERY_MS;
    try {
      await catchUp({
        ...{ insights, now: nex.now, monotonic: clock.monotonic, onProgress: context.progress },
        list: (from, to) => nex.listInsights(from, to, signal),
      });
      succeeded(asked);
    } catch (error) {
      if (signal.aborted || !(error instanceof HttpError)) throw error;
      await failed(error);
    }
    options.onHealth();
  };

  return {
    request(openedAt) {
      missing = { openedAt };
      bell.resolve();
    },
    isMissing: () => missing !== undefined,
    failure: () => failure,
    wake: () => bell.resolve(),
    async run() {
      const aborted = new Promise<never>((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      aborted.catch(() => {});
      for (;;) {
        bell = Promise.withResolvers();
        if (!isDue()) await Promise.race([bell.promise, aborted]);
        await clock.sleep(Math.max(0, notBefore - clock.monotonic()), signal);
        if (isDue()) await attempt();
      }
    },
  };
}

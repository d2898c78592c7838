// The daily quota of the plan: how much is left, and how far the watches have to slow down to make it last the day.

import { z } from "zod";
import { type Clock, isoTime } from "../../core/clock.ts";
import { readAnswer } from "../../http/answer.ts";
import { HttpError } from "../../http/errors.ts";
import type { NexusHttp } from "./http.ts";

/** What the plan allows, as Nexus last reported, less the calls of the watches since. */
export interface QuotaStatus {
  plan: string | null;
  /** Calls per day; null: unlimited. */
  limit: number | null;
  used: number | null;
  remaining: number | null;
  /** When Nexus said so. */
  asOf: string;
  /** Whether the watches have to wait for it. */
  isSlowed: boolean;
}

export interface Quota {
  /** Null: unknown (so far). */
  status(): QuotaStatus | null;
  /**
   * Waits until the day's quota has room for another pass. Asks Nexus for it first if that is due; if Nexus does not
   * answer, it does not wait.
   * @param onWait called with the length of a wait, before it
   */
  admit(signal: AbortSignal, onWait: (waitMs: number, status: QuotaStatus) => void): Promise<void>;
  /** Subtracts the requests of a pass. */
  spent(requests: number): void;
  /** Asks again before the next pass. @returns the error with the time to wait, if it is the plan's limit */
  met(error: unknown): unknown;
}

const LABEL = "GET /functions/v1/agent-usage";
const ASK_EVERY_MS = 30 * 60_000;
const ASK_TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;
/** The part of the day's calls that the watches leave to people and agents. */
const RESERVED = 0.1;
/** Calls that may be made at once after a time without any: at least a few passes. */
const BURST_MS = 15 * 60_000;
const LEAST_BURST = 10;
/** How often a wait is checked again: Nexus may have been asked, or the plan changed. */
const LONGEST_WAIT_MS = ASK_EVERY_MS;

const count = z.number().nullish().catch(null);
const usageSchema = z.looseObject({
  plan: z.string().nullish().catch(null),
  plan_name: z.string().nullish().catch(null),
  usage: z.looseObject({
    api_calls_today: z.looseObject({ used: count, limit: count, remaining: count }),
  }),
});

export function createQuota({ http, clock }: { http: NexusHttp; clock: Clock }): Quota {
  let known: Omit<QuotaStatus, "isSlowed"> | undefined;
  let askAgainAt = 0;
  // Calls that may be made now; below 0: a debt that time repays.
  let credit = Number.POSITIVE_INFINITY;
  let creditedAt = clock.monotonic();

  const msLeftToday = () => DAY_MS - (clock.now() % DAY_MS);
  /** Calls per millisecond that make the quota last the day; undefined: unlimited. */
  const pace = (): number | undefined => {
    if (!known || known.limit === null || known.remaining === null) return undefined;
    return Math.max(0, known.remaining - known.limit * RESERVED) / msLeftToday();
  };
  const earn = () => {
    const rate = pace();
    const now = clock.monotonic();
    const burst = Math.max((rate ?? 0) * BURST_MS, LEAST_BURST);
    credit =
      rate === undefined ? Number.POSITIVE_INFINITY : Math.min(burst, credit + rate * (now - creditedAt));
    creditedAt = now;
  };
  const status = (): QuotaStatus | null => {
    if (!known) return null;
    earn();
    return { ...known, isSlowed: credit < 0 };
  };

  const ask = async (signal: AbortSignal): Promise<void> => {
    const now = clock.monotonic();
    const isNewDay = known !== undefined && clock.now() - (clock.now() % DAY_MS) > Date.parse(known.asOf);
    if (now < askAgainAt && !isNewDay) return;
    askAgainAt = now + ASK_EVERY_MS;
    // Calls borrowed yesterday are no debt today.
    if (isNewDay) credit = Math.max(credit, 0);
    try {
      const answer = await http.request({
        method: "GET",
        path: "/functions/v1/agent-usage",
        label: LABEL,
        timeoutMs: ASK_TIMEOUT_MS,
        signal,
      });
      const { plan, plan_name, usage } = readAnswer(answer, usageSchema, { service: "nexus", label: LABEL });
      earn();
      const { used = null, limit = null, remaining = null } = usage.api_calls_today;
      const isUnlimited = limit === null || limit < 0;
      const left = remaining ?? (limit === null || used === null ? null : limit - used);
      known = {
        plan: plan_name ?? plan ?? null,
        limit: isUnlimited ? null : limit,
        used,
        remaining: isUnlimited || left === null ? null : Math.max(0, left),
        asOf: isoTime(clock.now()),
      };
    } catch (error) {
      // A failure here delays nothing: the pass itself will find out what is wrong with the service.
      if (!(error instanceof HttpError) || error.kind === "aborted") throw error;
    }
  };

  return {
    status,
    async admit(signal, onWait) {
      for (;;) {
        await ask(signal);
        earn();
        const now = status();
        if (credit >= 0 || now === null) return;
        const rate = pace() ?? 0;
        const waitMs = Math.min(rate > 0 ? -credit / rate : LONGEST_WAIT_MS, LONGEST_WAIT_MS, msLeftToday());
        onWait(Math.ceil(waitMs), now);
        await clock.sleep(Math.ceil(waitMs), signal);
      }
    },
    spent(requests) {
      earn();
      credit -= requests;
      if (!known) return;
      const { used, remaining } = known;
      known = {
        ...known,
        used: used === null ? null : used + requests,
        remaining: remaining === null ? null : Math.max(0, remaining - requests),
      };
    },
    met(error) {
      if (!(error instanceof HttpError) || error.status !== 403 || !error.code.startsWith("plan_limit"))
        return error;
      askAgainAt = 0;
      return new HttpError({
        kind: "status",
        service: "nexus",
        label: error.label,
        status: error.status,
        code: error.code,
        message:
          "nexus: the plan of the organization does not allow more of this now (daily limits reset at " +
          "00:00 UTC). Its page in Nexus shows what is used up; nexusctl status shows the calls of the " +
          "day.",
        retryable: false,
        retryAfterMs: Math.min(ASK_EVERY_MS, msLeftToday()),
        maybeSent: true,
        cause: error,
      });
    },
  };
}

/** In words for a person. */
export const describeQuota = ({ remaining, limit }: QuotaStatus): string =>
  `${remaining ?? "?"} of the plan's ${limit ?? "unlimited"} calls a day are left`;

/** "12 of 500 calls left today (plan Free)"; null without a limit. */
export function quotaNote({ plan, remaining, limit, isSlowed }: QuotaStatus): string | null {
  if (limit === null) return null;
  const slowed = isSlowed ? "; the watches run less often" : "";
  return `${remaining ?? "?"} of ${limit} calls left today${plan === null ? "" : ` (plan ${plan})`}${slowed}`;
}

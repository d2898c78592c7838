// Agent key to token: one exchange in flight at most, never more than ten a minute, across restarts too.

import { createHash } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import { readAnswer } from "../../http/answer.ts";
import type { HttpClient } from "../../http/client.ts";
import { HttpError, type HttpErrorDetails } from "../../http/errors.ts";
import { anonKeyRefused, isAnonKeyRefused } from "./refusals.ts";

const LABEL = "POST /functions/v1/agent-auth";
/** What every agent key begins with. Its length is not checked: the vendor's own pages do not agree on it. */
const KEY_PREFIX = "nxs_ak_";

export const EXCHANGE_PATH = "/functions/v1/agent-auth";

const MOST_EXCHANGES = 10;
/** A minute, and as long as an exchange may be under way: the server counts when it arrives, not when it is sent. */
const EXCHANGE_WINDOW_MS = 90_000;
/** A token that the service refuses is replaced at once, but its successor not before this time has passed. */
const REJECT_AGAIN_AFTER_MS = 60_000;
const MINUTE_MS = 60_000;
/** A key that was refused stays refused until somebody acts: it is tried again this seldom. */
const REFUSED_FOR_MS = 15 * MINUTE_MS;
/** Refreshed at 80 % of its life, a little earlier at random so that many daemons do not do it at once. */
const REFRESH_AT = 0.8;
const REFRESH_JITTER = 0.05;
/** A token that is said to end sooner is used for so long all the same, or until it is refused. */
const SHORTEST_LIFE_MS = 15_000;

const answerSchema = z.looseObject({
  access_token: z.string().min(1),
  organization_id: z.string().min(1),
  expires_in: z.number().default(3600),
});

const savedSchema = z.object({
  /** Which key at which origin the token is of: another one must never get it. */
  owner: z.string().nullable().default(null),
  token: z.string().nullable(),
  organizationId: z.string().nullable(),
  refreshAt: z.number(),
  expiresAt: z.number(),
  /** The one before, while it lives: it is of use where a clock of Nexus does not take the new one yet. */
  previous: z.object({ token: z.string(), expiresAt: z.number() }).nullable().default(null),
  /** When the latest exchanges were sent, in ms since the epoch. */
  exchanges: z.array(z.number()),
});
type Saved = z.infer<typeof savedSchema>;

const NO_TOKEN = {
  ...{ owner: null, token: null, organizationId: null },
  ...{ refreshAt: 0, expiresAt: 0, previous: null },
};

/** Where the token outlives the process; `save` resolves once it is on disk. */
export interface TokenStorage {
  load(): Promise<string | undefined>;
  save(json: string): Promise<void>;
}

export interface TokenSource {
  /**
   * The token for REST, functions and MCP alike.
   * @throws HttpError `agent_key_malformed`, `agent_key_refused`, `exchange_budget`, or what the exchange met
   */
  token(): Promise<string>;
  /** The organization of the key, once a token was had. */
  organizationId(): Promise<string>;
  /**
   * Says that the service refused this token: it is not given out again, but for a while where it is itself the
   * successor of a refused one, since a service that refuses every token must not make us ask for ever.
   */
  reject(token: string): void;
  /** Says that the service will take this token only after so long: the one before is given out until then, if it lives. */
  isEarly(token: string, waitMs: number): void;
}

export function createTokenSource(options: {
  http: HttpClient;
  apiKey: () => string;
  storage: TokenStorage;
  clock: Clock;
  random: () => number;
  /** Told of every token, so that no log line can hold one. */
  onToken: (token: string) => void;
}): TokenSource {
  const { http, apiKey, storage, clock, random, onToken } = options;
  let saved: Saved | undefined;
  let inFlight: Promise<Saved> | undefined;
  let refusal: { error: HttpError; until: number } | undefined;
  let isRejected = false;
  let rejectedAt = Number.NEGATIVE_INFINITY;
  let earlyUntil = Number.NEGATIVE_INFINITY;

  const owner = () => createHash("sha256").update(`${http.origin}\n${apiKey()}`).digest("hex");

  /** What is on disk: another source may have written there, before a reload. */
  const load = async (): Promise<Saved> => {
    const parsed = savedSchema.safeParse(readJson(await storage.load()));
    const found: Saved = parsed.success ? parsed.data : { ...NO_TOKEN, exchanges: [] };
    if (found.token) onToken(found.token);
    if (found.previous) onToken(found.previous.token);
    return found.owner === owner() ? found : { ...NO_TOKEN, exchanges: found.exchanges };
  };

  const exchange = async (): Promise<Saved> => {
    if (refusal && clock.monotonic() < refusal.until) throw refusal.error;
    const key = apiKey();
    if (!key.startsWith(KEY_PREFIX)) throw malformed();
    const before = await load();
    const now = clock.now();
    // A clock that was set back must not make the exchanges of this minute disappear.
    const recent = before.exchanges
      .map((at) => Math.min(at, now))
      .filter((at) => now - at < EXCHANGE_WINDOW_MS);
    const oldest = recent[0];
    if (recent.length >= MOST_EXCHANGES && oldest !== undefined) {
      // Kept as they are now taken to be, or they would be of this moment for as long as the clock is behind.
      await storage.save(JSON.stringify({ ...before, exchanges: recent }));
      throw tooMany(EXCHANGE_WINDOW_MS - (now - oldest));
    }
    // Counted on disk before it is sent, so that a daemon that crashes at once again does not hammer.
    const exchanges = [...recent, now];
    await storage.save(JSON.stringify({ ...before, exchanges }));
    const answer = await http
      .request({
        method: "POST",
        path: EXCHANGE_PATH,
        label: LABEL,
        json: { api_key: key },
        // A write that waits for its token must not wait for the watches.
        priority: "renewals",
      })
      .catch(async (error: unknown) => {
        // What was never sent counts nowhere, at Nexus no more than here.
        if (error instanceof HttpError && !error.maybeSent)
          await storage.save(JSON.stringify({ ...before, exchanges: recent }));
        throw refused(error) ?? error;
      });
    const { access_token, organization_id, expires_in } = readAnswer(answer, answerSchema, {
      service: "nexus",
      label: LABEL,
    });
    onToken(access_token);
    const lifeMs = Math.max(expires_in * 1000, SHORTEST_LIFE_MS);
    const isOldGood = before.token !== null && !isRejected && before.expiresAt > clock.now();
    const fresh: Saved = {
      owner: owner(),
      token: access_token,
      organizationId: organization_id,
      refreshAt: clock.now() + Math.max(lifeMs * (REFRESH_AT - random() * REFRESH_JITTER), SHORTEST_LIFE_MS),
      expiresAt: clock.now() + lifeMs,
      previous: isOldGood ? { token: before.token ?? "", expiresAt: before.expiresAt } : null,
      exchanges,
    };
    saved = fresh;
    isRejected = false;
    refusal = undefined;
    await storage.save(JSON.stringify(fresh));
    return fresh;
  };

  const refused = (error: unknown): HttpError | undefined => {
    if (error instanceof HttpError && isAnonKeyRefused(error)) return anonKeyRefused(error);
    if (!isKeyRefused(error)) return undefined;
    const own = failure({
      kind: "status",
      code: "agent_key_refused",
      ...(error.status === undefined ? {} : { status: error.status }),
      message:
        "nexus: the agent key (nexus.api_key) was refused: revoked, expired or wrong. " +
        `Put a valid key in its place and reload; until then it is tried every ${REFUSED_FOR_MS / MINUTE_MS} minutes.`,
      retryAfterMs: REFUSED_FOR_MS,
      maybeSent: true,
      cause: error,
    });
    refusal = { error: own, until: clock.monotonic() + REFUSED_FOR_MS };
    return own;
  };

  const current = async (): Promise<{ token: string; organizationId: string }> => {
    saved ??= await load();
    let state = saved;
    if (!state.token || isRejected || clock.now() >= state.refreshAt) {
      inFlight ??= exchange().finally(() => {
        inFlight = undefined;
      });
      try {
        state = await inFlight;
      } catch (error) {
        // A token that still lives is good enough while the exchange is unreachable.
        const isUsable = !isRejected && clock.now() < state.expiresAt && !refusal;
        if (!isUsable) throw error;
      }
    }
    const { token, organizationId } = state;
    if (token === null || organizationId === null) throw new Error("an exchange ended without a token");
    const { previous } = state;
    if (clock.monotonic() < earlyUntil && previous && previous.expiresAt > clock.now())
      return { token: previous.token, organizationId };
    return { token, organizationId };
  };

  return {
    token: async () => (await current()).token,
    organizationId: async () => (await current()).organizationId,
    isEarly(token, waitMs) {
      if (saved?.token === token) earlyUntil = clock.monotonic() + waitMs;
    },
    reject(token) {
      if (saved?.previous?.token === token) saved = { ...saved, previous: null };
      if (saved?.token !== token || isRejected) return;
      if (clock.monotonic() - rejectedAt < REJECT_AGAIN_AFTER_MS) return;
      isRejected = true;
      rejectedAt = clock.monotonic();
    },
  };
}

/** Whether the answer speaks of the key: not of the anon key, of a plan, or of a proxy in between. */
const isKeyRefused = (error: unknown): error is HttpError => {
  if (!(error instanceof HttpError)) return false;
  if (error.status === 401) return true;
  return error.status === 403 && error.body !== undefined && !error.code.startsWith("plan_limit");
};

const failure = (
  details: Omit<HttpErrorDetails, "service" | "label" | "retryable"> & { retryable?: boolean },
): HttpError => new HttpError({ service: "nexus", label: LABEL, retryable: false, ...details });

const malformed = () =>
  failure({
    kind: "invalid_request",
    code: "agent_key_malformed",
    message: `nexus: nexus.api_key is no agent key, which begins with ${KEY_PREFIX}: it was not sent. Put one in its place and reload.`,
    maybeSent: false,
  });

const tooMany = (waitMs: number) =>
  failure({
    kind: "timeout",
    code: "exchange_budget",
    message: `nexus: the agent key was exchanged ${MOST_EXCHANGES} times within a minute: it waits ${Math.ceil(waitMs / 1000)} s`,
    retryable: true,
    retryAfterMs: waitMs,
    maybeSent: false,
  });

const readJson = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
};

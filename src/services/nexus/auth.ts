// Agent key to token: one exchange in flight at most, never more than ten a minute, across restarts too.

import { z } from "zod";
import { readAnswer } from "../../http/answer.ts";
import type { HttpClient } from "../../http/client.ts";
import { HttpError } from "../../http/errors.ts";
import type { Clock } from "../../scheduler/clock.ts";

const EXCHANGES_PER_MINUTE = 10;
const MINUTE_MS = 60_000;
/** A key that was refused stays refused until somebody acts: it is tried again this seldom. */
const REFUSED_FOR_MS = 15 * MINUTE_MS;
/** Refreshed at 80 % of its life, a little earlier at random so that many daemons do not do it at once. */
const REFRESH_AT = 0.8;
const REFRESH_JITTER = 0.05;

const answerSchema = z.looseObject({
  access_token: z.string().min(1),
  organization_id: z.string().min(1),
  expires_in: z.number().positive().default(3600),
});

const savedSchema = z.object({
  token: z.string().nullable(),
  organizationId: z.string().nullable(),
  refreshAt: z.number(),
  expiresAt: z.number(),
  /** When the exchanges of the last minute were sent, in ms since the epoch. */
  exchanges: z.array(z.number()),
});
type Saved = z.infer<typeof savedSchema>;

const NOTHING_SAVED: Saved = { token: null, organizationId: null, refreshAt: 0, expiresAt: 0, exchanges: [] };

/** Where the token outlives the process; `save` resolves once it is on disk. */
export interface TokenStorage {
  load(): Promise<string | undefined>;
  save(json: string): Promise<void>;
}

export interface TokenSource {
  /** @throws HttpError; code `agent_key_refused` when the key itself is no longer good */
  token(): Promise<string>;
  /** The organization of the key, once a token was had. */
  organizationId(): Promise<string>;
  /** Says that the service refused this token; the next call exchanges the key again. */
  reject(token: string): void;
}

export function createTokenSource(options: {
  /** Without a credential: the exchange is public, and the key goes in its body. */
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

  const load = async (): Promise<Saved> => {
    if (saved) return saved;
    const text = await storage.load();
    const parsed = savedSchema.safeParse(text === undefined ? undefined : JSON.parse(text));
    saved = parsed.success ? parsed.data : NOTHING_SAVED;
    if (saved.token) onToken(saved.token);
    return saved;
  };

  const exchange = async (before: Saved): Promise<Saved> => {
    if (refusal && clock.now() < refusal.until) throw refusal.error;
    const recent = before.exchanges.filter((at) => Math.abs(clock.now() - at) < MINUTE_MS);
    const oldest = recent[0];
    if (recent.length >= EXCHANGES_PER_MINUTE && oldest !== undefined)
      await clock.sleep(MINUTE_MS - Math.abs(clock.now() - oldest));
    // Counted on disk before it is sent, so that a daemon that crashes at once again does not hammer.
    const counted = { ...before, exchanges: [...recent, clock.now()].slice(-EXCHANGES_PER_MINUTE) };
    await storage.save(JSON.stringify(counted));
    saved = counted;
    const label = "POST /functions/v1/agent-auth";
    const answer = await http
      .request({
        method: "POST",
        path: "/functions/v1/agent-auth",
        label,
        json: { api_key: apiKey() },
        authorize: false,
      })
      .catch((error: unknown) => {
        throw refused(error) ?? error;
      });
    const { access_token, organization_id, expires_in } = readAnswer(answer, answerSchema, {
      service: "nexus",
      label,
    });
    onToken(access_token);
    const lifeMs = expires_in * 1000;
    saved = {
      ...counted,
      token: access_token,
      organizationId: organization_id,
      refreshAt: clock.now() + lifeMs * (REFRESH_AT - random() * REFRESH_JITTER),
      expiresAt: clock.now() + lifeMs,
    };
    isRejected = false;
    refusal = undefined;
    await storage.save(JSON.stringify(saved));
    return saved;
  };

  const refused = (error: unknown): HttpError | undefined => {
    if (!(error instanceof HttpError) || (error.status !== 401 && error.status !== 403)) return undefined;
    const own = new HttpError({
      kind: "status",
      service: "nexus",
      label: error.label,
      status: error.status,
      code: "agent_key_refused",
      message:
        "nexus: the agent key (nexus.api_key) was refused: revoked, expired or wrong. " +
        "Put a valid key in its place and reload.",
      retryable: false,
      maybeSent: true,
      cause: error,
    });
    refusal = { error: own, until: clock.now() + REFUSED_FOR_MS };
    return own;
  };

  const current = async (): Promise<Saved & { token: string; organizationId: string }> => {
    let state = await load();
    if (!state.token || isRejected || clock.now() >= state.refreshAt) {
      inFlight ??= exchange(state).finally(() => {
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
    return { ...state, token, organizationId };
  };

  return {
    token: async () => (await current()).token,
    organizationId: async () => (await current()).organizationId,
    reject(token) {
      if (saved?.token === token) isRejected = true;
    },
  };
}

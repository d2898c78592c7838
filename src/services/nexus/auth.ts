// Exchanges the agent key for a token: one exchange at a time, at most ten a minute, across restarts too.

import { createHash } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import type { SteadyClock } from "../../core/steady-clock.ts";
import { readAnswer } from "../../http/answer.ts";
import type { HttpClient } from "../../http/client.ts";
import { HttpError, type HttpErrorDetails } from "../../http/errors.ts";
import { createPursuit } from "./pursuit.ts";
import { anonKeyRefused, isAnonKeyRefused } from "./refusals.ts";
import { createAges, type Issued, loadToken, type SavedToken, type TokenStorage } from "./saved-token.ts";

const LABEL = "POST /functions/v1/agent-auth";
/** The prefix of every agent key. Its length is not checked: the vendor's own pages disagree on it. */
const KEY_PREFIX = "nxs_ak_";

export const EXCHANGE_PATH = "/functions/v1/agent-auth";

const MOST_EXCHANGES = 10;
/** A minute, plus the longest time of an exchange: the server counts when it arrives, not when it is sent. */
const EXCHANGE_WINDOW_MS = 90_000;
/** A token that the service refuses is replaced at once, but its successor not before this time has passed. */
const REJECT_AGAIN_AFTER_MS = 60_000;
const MINUTE_MS = 60_000;
/** A refused key stays refused until a person acts, so it is tried again this rarely. */
const REFUSED_FOR_MS = 15 * MINUTE_MS;
/** Refreshed at 80 % of its life, a little earlier at random so that many daemons do not do it at once. */
const REFRESH_AT = 0.8;
const REFRESH_JITTER = 0.05;
/** A token that claims to end sooner is used for this long anyway, or until it is refused. */
const SHORTEST_LIFE_MS = 15_000;

const answerSchema = z.looseObject({
  access_token: z.string().min(1),
  organization_id: z.string().min(1),
  expires_in: z.number().default(3600),
});

export interface TokenSource {
  /**
   * The token for REST, functions and MCP alike.
   * @throws HttpError `agent_key_malformed`, `agent_key_refused`, `exchange_budget`, or an error of the exchange
   */
  token(): Promise<string>;
  /** The organization of the key, after the first token. */
  organizationId(): Promise<string>;
  /**
   * Reports that the service refused this token: it is not returned again, except for a while if it is itself the
   * successor of a refused one, since a service that refuses every token must not cause endless exchanges.
   */
  reject(token: string): void;
  /**
   * Reports that the service will accept this token only after this time: until then the previous one is returned, if
   * it is still valid.
   */
  isEarly(token: string, waitMs: number): void;
}

export function createTokenSource(options: {
  http: HttpClient;
  apiKey: () => string;
  storage: TokenStorage;
  clock: Clock;
  steady: Pick<SteadyClock, "ageOf">;
  random: () => number;
  /** Receives every token, so that no log line can contain one. */
  onToken: (token: string) => void;
  /** Called when there is a token again after an outage. */
  onBack?: () => void;
  /** Aborts: from then on it requests nothing on its own. */
  signal?: AbortSignal;
}): TokenSource {
  const { http, apiKey, storage, clock, steady, random, onToken, onBack } = options;
  const ages = createAges(clock, steady);
  let saved: SavedToken | undefined;
  let inFlight: Promise<SavedToken> | undefined;
  let refusal: { error: HttpError; until: number } | undefined;
  let isRejected = false;
  let rejectedAt = Number.NEGATIVE_INFINITY;
  let earlyUntil = Number.NEGATIVE_INFINITY;

  const owner = () => createHash("sha256").update(`${http.origin}\n${apiKey()}`).digest("hex");
  const isAlive = (issued: Issued) => ages.of(issued) < issued.lifeMs;

  /** Loads the stored token: another source may have written it, before a reload. */
  const load = async (): Promise<SavedToken> => {
    const found = await loadToken(storage, owner());
    for (const issued of [found.current, found.previous]) {
      if (!issued) continue;
      onToken(issued.token);
      ages.recall(issued);
    }
    return found;
  };

  const exchange = async (): Promise<SavedToken> => {
    if (refusal && clock.monotonic() < refusal.until) throw refusal.error;
    const key = apiKey();
    if (!key.startsWith(KEY_PREFIX)) throw malformed();
    const before = await load();
    // Stamped again by the present wall clock, so that a step of it neither ages them nor keeps them young.
    const now = clock.now();
    const recent = before.exchanges
      .map((at) => now - steady.ageOf(at))
      .filter((at) => now - at < EXCHANGE_WINDOW_MS);
    const oldest = recent[0];
    if (recent.length >= MOST_EXCHANGES && oldest !== undefined) {
      await storage.save(JSON.stringify({ ...before, exchanges: recent }));
      throw tooMany(EXCHANGE_WINDOW_MS - (now - oldest));
    }
    // Counted on disk before it is sent, so that a daemon that crashes at once does not hammer the service.
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
        // What was never sent does not count, neither at Nexus nor here.
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
    const current = {
      token: access_token,
      issuedAt: clock.now(),
      lifeMs,
      refreshAfterMs: Math.max(lifeMs * (REFRESH_AT - random() * REFRESH_JITTER), SHORTEST_LIFE_MS),
    };
    const isOldGood = before.current !== null && !isRejected && isAlive(before.current);
    const fresh: SavedToken = {
      owner: owner(),
      organizationId: organization_id,
      current,
      previous: isOldGood ? before.current : null,
      exchanges,
    };
    ages.keep([fresh.previous]);
    ages.begin(current);
    saved = fresh;
    isRejected = false;
    refusal = undefined;
    await storage.save(JSON.stringify(fresh));
    return fresh;
  };

  /** The current exchange, or a new one. */
  const exchanged = (): Promise<SavedToken> => {
    inFlight ??= exchange()
      .then(
        (state) => {
          if (pursuit.end()) onBack?.();
          return state;
        },
        (error) => {
          if (isUnreachable(error)) pursuit.begin();
          else pursuit.end();
          throw error;
        },
      )
      .finally(() => {
        inFlight = undefined;
      });
    return inFlight;
  };
  const pursuit = createPursuit({
    ...{ clock, random },
    attempt: async () => void (await exchanged().catch(() => {})),
    signal: options.signal ?? new AbortController().signal,
  });

  const refused = (error: unknown): HttpError | undefined => {
    if (error instanceof HttpError && isAnonKeyRefused(error)) return anonKeyRefused(error);
    if (!isKeyRefused(error)) return undefined;
    const own = failure({
      kind: "status",
      code: "agent_key_refused",
      ...(error.status === undefined ? {} : { status: error.status }),
      message:
        "nexus: the agent key (nexus.api_key) was refused: revoked, expired or wrong. Replace it " +
        `with a valid key and reload; until then nexusd tries it every ${REFUSED_FOR_MS / MINUTE_MS} ` +
        "minutes.",
      retryAfterMs: REFUSED_FOR_MS,
      maybeSent: true,
      cause: error,
    });
    refusal = { error: own, until: clock.monotonic() + REFUSED_FOR_MS };
    return own;
  };

  const current = async (): Promise<{ token: string; organizationId: string }> => {
    pursuit.want();
    saved ??= await load();
    let state = saved;
    if (!state.current || isRejected || ages.of(state.current) >= state.current.refreshAfterMs) {
      try {
        state = await exchanged();
      } catch (error) {
        // A token that is still valid is good enough while the exchange is unreachable.
        const isUsable = state.current && !isRejected && isAlive(state.current) && !refusal;
        if (!isUsable) throw error;
      }
    }
    const { current: newest, previous, organizationId } = state;
    if (newest === null || organizationId === null)
      throw new Error("an exchange of the agent key ended without a token");
    const isEarly = clock.monotonic() < earlyUntil && previous !== null && isAlive(previous);
    return { token: isEarly ? previous.token : newest.token, organizationId };
  };

  return {
    token: async () => (await current()).token,
    organizationId: async () => (await current()).organizationId,
    isEarly(token, waitMs) {
      if (saved?.current?.token === token) earlyUntil = clock.monotonic() + waitMs;
    },
    reject(token) {
      if (saved?.previous?.token === token) saved = { ...saved, previous: null };
      if (saved?.current?.token !== token || isRejected) return;
      if (clock.monotonic() - rejectedAt < REJECT_AGAIN_AFTER_MS) return;
      isRejected = true;
      rejectedAt = clock.monotonic();
    },
  };
}

/** Whether there was no connection to send it on, so that trying again costs nothing. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof HttpError &&
  error.retryable &&
  !error.maybeSent &&
  (error.kind === "network" || error.code === "timeout");

/** Whether the answer is about the key: not about the anon key, a plan, or a proxy in between. */
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
    message: `nexus: nexus.api_key is not an agent key, which begins with ${KEY_PREFIX}: it was not sent. Replace it with an agent key and reload.`,
    maybeSent: false,
  });

const tooMany = (waitMs: number) =>
  failure({
    kind: "timeout",
    code: "exchange_budget",
    message: `nexus: the agent key was exchanged ${MOST_EXCHANGES} times within a minute: nexusd waits ${Math.ceil(waitMs / 1000)} s`,
    retryable: true,
    retryAfterMs: waitMs,
    maybeSent: false,
  });

// Nexus's 401 answers, by cause: an old token is exchanged once, a wrong anon key is a configuration error.

import type { HttpClient, HttpRequest } from "../../http/client.ts";
import { HttpError } from "../../http/errors.ts";
import { notSent } from "../../http/failure.ts";
import { fieldsOf } from "../input.ts";
import type { TokenSource } from "./auth.ts";
import { explained } from "./problem.ts";
import { anonKeyRefused, isAnonKeyRefused, renamed } from "./refusals.ts";

/** The client of Nexus, and whose data it sees. */
export interface NexusHttp extends HttpClient {
  /** The organization of the agent key. @throws HttpError if the key cannot be exchanged */
  organizationId(): Promise<string>;
}

/**
 * The client with the agent's token. After a 401 that a new token can fix, the request is sent once more, unless it is
 * to be sent `once`: then the error is `retryable`, and the next request gets the new token. A token that a Nexus clock
 * considers to be from the future is kept, and the previous one is used until then. Without a token, `maybeSent` is
 * false.
 */
export function withToken(http: HttpClient, tokens: TokenSource): NexusHttp {
  const tokenFor = async (): Promise<string> => {
    try {
      return await tokens.token();
    } catch (error) {
      throw error instanceof HttpError && error.maybeSent ? notSent(error) : error;
    }
  };
  const authorize = async <T>(
    send: (request: HttpRequest) => Promise<T>,
    request: HttpRequest,
  ): Promise<T> => {
    const token = await tokenFor();
    const authorized = (value: string): HttpRequest => ({
      ...request,
      headers: { ...request.headers, authorization: `Bearer ${value}` },
    });
    try {
      return await send(authorized(token));
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      if (error.status !== 401) throw explained(error);
      if (isAnonKeyRefused(error)) throw anonKeyRefused(error);
      const earlyMs = earlyBy(error, token);
      if (earlyMs === undefined) tokens.reject(token);
      else tokens.isEarly(token, earlyMs);
      const next = await tokenFor();
      if (next === token) throw earlyMs === undefined ? tokenRefused(error) : tokenEarly(error, earlyMs);
      // Only the caller may send it again; the 401 proves that nothing was done.
      if (request.once) throw tokenReplaced(error);
      return await send(authorized(next)).catch((again: unknown) => {
        if (!(again instanceof HttpError) || again.status !== 401) throw again;
        const nextEarlyMs = earlyBy(again, next);
        if (nextEarlyMs === undefined) throw tokenRefused(again);
        tokens.isEarly(next, nextEarlyMs);
        throw tokenEarly(again, nextEarlyMs);
      });
    }
  };
  return {
    origin: http.origin,
    organizationId: () => tokens.organizationId(),
    request: (request) => authorize((authorized) => http.request(authorized), request),
    stream: (request) => authorize((authorized) => http.stream(authorized), request),
  };
}

/** A 401 that another attempt can overcome. */
const passing = (error: HttpError, code: string, message: string, retryAfterMs: number) =>
  new HttpError({
    ...{ kind: "status", service: "nexus", label: error.label, status: 401, code, message },
    ...{ retryable: true, retryAfterMs, maybeSent: true, cause: error },
  });

const tokenEarly = (error: HttpError, waitMs: number) =>
  passing(
    error,
    "token_not_yet_valid",
    `nexus: ${error.label} answered 401: the token that Nexus just issued is not valid yet, because the clocks of its servers differ. ` +
      "nexusd keeps the token, waits and tries again; if this persists, tell Nexus.",
    waitMs,
  );

const tokenReplaced = (error: HttpError) =>
  passing(
    error,
    "token_replaced",
    `nexus: ${error.label} answered 401 to an expired token. The next attempt uses a new one.`,
    0,
  );

const SHORTEST_EARLY_MS = 1000;
const LONGEST_EARLY_MS = 30_000;
const USUAL_EARLY_MS = 2000;
const IS_EARLY = /\bissued (at|in the) future\b|\bnot yet valid\b|\bnot active\b/i;

/** How long the server that refused this token will consider it to be from the future; undefined: it does not. */
function earlyBy(error: HttpError, token: string): number | undefined {
  const { message, msg } = fieldsOf(error.body);
  const isSaid = [message, msg, error.headers["www-authenticate"]].some(
    (text) => typeof text === "string" && IS_EARLY.test(text),
  );
  const { iat, nbf } = claimsOf(token);
  const validFrom = Math.max(...[iat, nbf].map((at) => (typeof at === "number" ? at * 1000 : 0)));
  const serverNow = Date.parse(error.headers.date ?? "");
  // The Date header has whole seconds.
  const aheadMs = validFrom > 0 && !Number.isNaN(serverNow) ? validFrom - serverNow : 0;
  if (!isSaid && aheadMs <= 1000) return undefined;
  const waitMs = aheadMs > 0 ? aheadMs : USUAL_EARLY_MS;
  return Math.min(Math.max(waitMs, SHORTEST_EARLY_MS), LONGEST_EARLY_MS);
}

/** The claims of a token that is a JWT; none if it is not. */
function claimsOf(token: string): Record<string, unknown> {
  try {
    return fieldsOf(JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()));
  } catch {
    return {};
  }
}

/** Every request that asks for another token would be another exchange: the next one is left to the backoff. */
const tokenRefused = (error: HttpError) =>
  renamed(
    error,
    "token_refused",
    `nexus: ${error.label} answered 401 to a new token. Check that the agent key is still active in Nexus.`,
  );

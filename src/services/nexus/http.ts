// Nexus's answers of 401, each by its cause: an old token is exchanged once, a wrong anon key is configuration.

import type { HttpClient, HttpRequest } from "../../http/client.ts";
import { HttpError } from "../../http/errors.ts";
import { notSent } from "../../http/failure.ts";
import type { TokenSource } from "./auth.ts";
import { explained } from "./problem.ts";
import { anonKeyRefused, isAnonKeyRefused, renamed } from "./refusals.ts";

/** The client of Nexus, and whose data it sees. */
export interface NexusHttp extends HttpClient {
  /** The agent's token, the same for REST, functions and MCP. @throws HttpError where the key cannot be exchanged */
  token(): Promise<string>;
  /** Says that the service refused this token: the next call of `token` gives another one, where there is one. */
  rejected(token: string): void;
  /** The organization of the agent key. @throws HttpError where the key cannot be exchanged */
  organizationId(): Promise<string>;
}

/**
 * The client with the agent's token. After a 401 that a new token can cure, the request is sent once more, unless it
 * is to be sent `once`: then the next request gets the new token. Where no token is to be had, `maybeSent` is false.
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
      tokens.reject(token);
      if (request.once) throw error;
      const next = await tokenFor();
      if (next === token) throw tokenRefused(error);
      return await send(authorized(next)).catch((again: unknown) => {
        throw again instanceof HttpError && again.status === 401 ? tokenRefused(again) : again;
      });
    }
  };
  return {
    origin: http.origin,
    token: () => tokens.token(),
    rejected: (token) => tokens.reject(token),
    organizationId: () => tokens.organizationId(),
    request: (request) => authorize((authorized) => http.request(authorized), request),
    stream: (request) => authorize((authorized) => http.stream(authorized), request),
  };
}

/** Every request that asks for one more token would be one more exchange: the next one is left to the backoff. */
const tokenRefused = (error: HttpError) =>
  renamed(
    error,
    "token_refused",
    `nexus: ${error.label} answered 401 to a token that was just exchanged. Check that the agent key is still active in Nexus.`,
  );

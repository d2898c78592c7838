// Nexus's answers of 401, each by its cause: an old token is exchanged once, a wrong anon key is configuration.

import type { HttpClient, HttpRequest } from "../../http/client.ts";
import { HttpError } from "../../http/errors.ts";
import type { TokenSource } from "./auth.ts";

const isAnonKeyRefused = (error: HttpError): boolean => {
  const code = error.headers["sb-error-code"] ?? "";
  const body = error.body as { message?: unknown } | undefined; // any JSON; only its message is read
  const message = typeof body?.message === "string" ? body.message : "";
  return /^UNAUTHORIZED_(MISSING|INVALID)_API_KEY/.test(code) || /API key/i.test(message);
};

/** The client with the agent's token: after a 401 that a new token can cure, the request is sent once more. */
export function withToken(http: HttpClient, tokens: TokenSource): HttpClient {
  const once = async <T>(send: (request: HttpRequest) => Promise<T>, request: HttpRequest): Promise<T> => {
    const token = await tokens.token();
    const authorized = (value: string): HttpRequest => ({
      ...request,
      headers: { ...request.headers, authorization: `Bearer ${value}` },
    });
    try {
      return await send(authorized(token));
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 401) throw error;
      if (isAnonKeyRefused(error))
        throw new HttpError({
          kind: "status",
          service: "nexus",
          label: error.label,
          status: 401,
          code: "anon_key_refused",
          message:
            "nexus: the gateway refused nexus.anon_key. Put the project's anon key in its place and reload.",
          retryable: false,
          maybeSent: true,
          cause: error,
        });
      tokens.reject(token);
      return await send(authorized(await tokens.token()));
    }
  };
  return {
    origin: http.origin,
    request: (request) => once((authorized) => http.request(authorized), request),
    stream: (request) => once((authorized) => http.stream(authorized), request),
  };
}

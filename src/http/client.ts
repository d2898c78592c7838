// HTTP as a service's client sees it: requests to one origin, with its credential, deadline and budget.
// src/http/transport.ts implements it, on undici.

import type { Readable } from "node:stream";
import type { Most } from "../core/json-shape.ts";
import type { RequestBudget } from "./budget.ts";
import type { Place } from "./room.ts";
import type { Priority } from "./shares.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";

export interface HttpRequest {
  method: Method;
  /** Path and query on the client's origin. It may hold secrets (a session id): it is never logged or thrown. */
  path: string;
  /** What logs and errors show instead of the path: "GET /v1/sessions/:id/messages". */
  label: string;
  headers?: Record<string, string>;
  /** Sent as JSON, integers above 2^53 (bigint) exact. */
  json?: unknown;
  /** Sent unchanged, instead of `json`. */
  body?: string;
  /**
   * For the whole exchange, including the body, and once more for the time before it: the credential and the wait for
   * the budget; default: the client's.
   */
  timeoutMs?: number;
  /** The largest body accepted, in bytes; default: the client's. */
  maxBytes?: number;
  signal?: AbortSignal;
  /** `false`: without the client's credential. */
  authorize?: boolean;
  /** Who the request is for, which decides when it may go out; default: `watches`. */
  priority?: Priority;
  /** For the time before the exchange, the credential and the wait for the budget; default: like `timeoutMs`. */
  waitMs?: number;
  /**
   * Called with how long it waited for the budget or another of nexusd's limits, in milliseconds; not if it did not
   * wait.
   */
  onWaited?: (ms: number) => void;
  /** Called when its turn has come: from here on the time of the exchange counts, and the server may see it. */
  onTurn?: () => void;
  /**
   * Asked right before its first byte is written to a connection: if it may not begin any more, it is not sent. Nothing
   * is awaited between this and the first byte.
   */
  mayBegin?: () => boolean;
  /** Replaces the client's, for an endpoint with its own limit. */
  budget?: RequestBudget;
  /** Put on the wire at most once, whatever the answer: nothing below the caller may send it again. */
  once?: boolean;
}

export interface HttpResponse {
  status: number;
  /** Names in lower case; a repeated header is joined with ", ". */
  headers: Record<string, string>;
  body: Uint8Array;
  text(): string;
  /**
   * Integers above 2^53 are bigint. @throws HttpError `invalid_body`, `json_too_large`
   * @param options.most limits above the usual ones, after `edit`
   * @param options.edit removes from such a text what is too much
   */
  json(options?: { most?: Partial<Most>; edit?: (text: string) => string }): unknown;
}

export interface HttpStream {
  /** Called with how much of the body is held; left out: nobody counts. */
  place?: Place;
  /** As in an HttpError: whose stream, and which. */
  service: string;
  label: string;
  status: number;
  headers: Record<string, string>;
  /** The receiver must destroy it in the end. It fails with an HttpError if the signal aborts. */
  body: Readable;
}

export interface HttpClient {
  readonly origin: string;
  /** @throws HttpError for everything that is not a 2xx with a complete body. */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Resolves at the headers of a 2xx; `timeoutMs` covers only them, `signal` the body too. @throws HttpError */
  stream(request: HttpRequest): Promise<HttpStream>;
}

/**
 * A request that is retried: `retry` runs `attempt` again while its error is retryable, with backoff and jitter, no
 * sooner than `Retry-After`, and at most until `deadlineMs` from now. For reads only.
 */
export type Retry = <T>(
  attempt: () => Promise<T>,
  options?: { deadlineMs?: number; signal?: AbortSignal },
) => Promise<T>;

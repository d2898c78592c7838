// The HTTP client of one service, on undici: one origin, one deadline, one budget, one error model.

import type { Dispatcher } from "undici";
import type { Clock } from "../core/clock.ts";
import type { RequestBudget } from "./budget.ts";
import type { HttpClient, HttpRequest, HttpResponse, HttpStream } from "./client.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { createDispatcher } from "./dispatcher.ts";
import { decoded } from "./encoding.ts";
import { HttpError } from "./errors.ts";
import { type Answer, exchange, isSuccess } from "./exchange.ts";
import { exchangeFailure, givenUp, notSent, type Progress, type Where } from "./failure.ts";
import { outcomeOf, type RequestOutcome } from "./outcome.ts";
import { requestBody, requestHeaders, targetPath } from "./outgoing.ts";
import { redirectTarget } from "./redirect.ts";
import { createResponse, tooLarge } from "./response.ts";
import type { Place, Room } from "./room.ts";
import type { Priority } from "./shares.ts";
import { retryAfter, statusFailure } from "./status.ts";

export interface HttpClientOptions {
  /** As it stands in errors: "nexus". */
  service: string;
  /** Scheme, host and port; a request never leaves it. */
  origin: string;
  clock: Clock;
  /** Headers with the credential, requested before each request. It must have its own deadline. */
  credential?: () => Promise<Record<string, string>>;
  /** Shared by all clients of the same server. */
  budget?: RequestBudget;
  timeoutMs: number;
  maxBytes: number;
  userAgent: string;
  /** Removes known secrets from a text; default: leaves it unchanged. */
  scrub?: (text: string) => string;
  /**
   * Removes nexusd's credentials from a service's answer before anything else: what is compared, stored, shown and
   * served never has them. A member named `keep` is one that the answer is meant to bring.
   */
  hide?: <T>(value: T, keep?: string) => T;
  /** Whether a JSON text certainly has nothing that `hide` removes; default: never. */
  isFree?: (json: string) => boolean;
  /** The member of the answer to such a request that contains a credential. */
  broughtBy?: (request: HttpRequest) => string | undefined;
  /** Whether a 429 is about all requests to the server; default: each is. */
  isRateLimit?: (error: HttpError) => boolean;
  /** Shared connections, of createDispatcher; default: some of this client's own. */
  dispatcher?: Dispatcher;
  /** Where large answers wait for room, shared by the clients of all services; default: unlimited. */
  room?: Room;
  /** Called with how each request ended; a stream counts when it has opened. */
  count?: (outcome: RequestOutcome) => void;
}

/** Turns a 2xx into what the caller gets, and ends the deadline if nothing depends on it any more. */
type Finish<T> = (answer: Answer, where: Where, deadline: Deadline, request: HttpRequest) => T;

/** The client of one service; see HttpClient for what its requests promise. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { service, clock, credential: prove, count, room } = options;
  const { origin } = new URL(options.origin);
  const dispatcher = options.dispatcher ?? createDispatcher();

  /**
   * Sends the request and follows its redirects, up to the end of a 2xx, or to its headers if it is a stream. One
   * function, since each additional async function costs a poll more than most of its work.
   */
  const open = async <T>(request: HttpRequest, asStream: boolean, finish: Finish<T>): Promise<T> => {
    const where = { service, label: request.label };
    const progress: Progress = { phase: "credential", sent: false };
    const timeoutMs = request.timeoutMs ?? options.timeoutMs;
    let place: Place | undefined;
    const waitMs = request.waitMs ?? timeoutMs;
    const deadline = startDeadline({
      ...{ clock, timeoutMs: waitMs, signal: request.signal },
      failure: (kind) => givenUp(kind, where, progress, isBefore(progress) ? waitMs : timeoutMs),
    });
    try {
      const { method, priority = "watches" } = request;
      const budget = request.budget ?? options.budget;
      const maxBytes = request.maxBytes ?? options.maxBytes;
      const body = requestBody(request) ?? null;
      let path = targetPath(origin, request.path, where);
      const credential =
        prove && request.authorize !== false ? await proveIdentity(prove, deadline) : undefined;
      const headers = requestHeaders(request, options.userAgent, credential);

      for (let hops = 0; ; hops++) {
        progress.phase = "budget";
        const lease =
          budget?.tryAcquire(priority) ??
          (budget && (await waitFor(budget, { ...request, priority, signal: deadline.signal })));
        if (hops === 0) {
          deadline.restart(timeoutMs);
          request.onTurn?.();
        }
        progress.phase = "server";
        let answer: Answer;
        try {
          answer = await exchange(
            { origin, path, method, headers, body, headersTimeout: 0, bodyTimeout: 0 },
            { dispatcher, deadline, progress, maxBytes, room, asStream, lease, mayBegin: request.mayBegin },
          );
        } catch (error) {
          throw exchangeFailure(error, where, progress.sent);
        } finally {
          lease?.done();
        }
        place = answer.place;
        if (answer.headers["content-encoding"] !== undefined) {
          if (!answer.stream && room) {
            place ??= room.open(maxBytes);
            progress.phase = "room";
            await wholePlace(place, maxBytes, deadline);
          }
          answer = await decoded(answer, { maxBytes, isSuccess: isSuccess(answer.status), where });
        }
        if (isSuccess(answer.status)) {
          if (answer.isTooLarge) throw tooLarge(maxBytes, answer.status, where);
          if (answer.stream && room) answer.place = room.open(maxBytes);
          const finished = finish(answer, where, deadline, request);
          count?.("succeeded");
          return finished;
        }
        // Only ever a path on the same origin, so that the credential may go along.
        const next = redirectTarget(answer, { method, origin, path, hops }, where);
        if (next === undefined) throw failed(answer, where, budget, path.length);
        path = next;
        place?.release();
      }
    } catch (error) {
      deadline.end();
      count?.(outcomeOf(error));
      throw error;
    } finally {
      // The receiver of a large answer processes it at once.
      place?.release();
    }
  };

  const waitFor = async (
    budget: RequestBudget,
    {
      priority,
      signal,
      onWaited,
    }: { priority: Priority; signal: AbortSignal } & Pick<HttpRequest, "onWaited">,
  ) => {
    const since = clock.monotonic();
    try {
      return await budget.acquire({ priority, signal });
    } finally {
      onWaited?.(clock.monotonic() - since);
    }
  };

  const { hide = (value) => value, isFree = () => false, broughtBy } = options;
  const finishResponse: Finish<HttpResponse> = (answer, where, deadline, request) => {
    deadline.end();
    const keep = broughtBy?.(request);
    return createResponse({ ...answer, headers: hide(answer.headers) }, where, {
      isFree,
      hide: (value) => hide(value, keep),
    });
  };

  const failed = (
    answer: Answer,
    where: Where,
    budget: RequestBudget | undefined,
    pathLength: number,
  ): HttpError => {
    const { status, headers, cut } = answer;
    const cause = cut === undefined ? {} : { cause: exchangeFailure(cut, where, true) };
    const error = statusFailure(
      { status, headers: hide(headers), body: answer.body.toString(), pathLength, ...cause },
      where,
      clock,
      options.scrub,
      (value) => hide(value),
    );
    // A 429 always has a time: the server's, or the default.
    if (status === 429 && (options.isRateLimit?.(error) ?? true))
      budget?.cooldownUntil(clock.monotonic() + (retryAfter(status, headers, clock) ?? 0));
    return error;
  };

  return {
    origin,
    request: (request) => open(request, false, finishResponse),
    stream: (request) => open(request, true, finishStream),
  };
}

const finishStream: Finish<HttpStream> = ({ status, headers, stream, place }, where, deadline) => {
  if (!stream) throw new Error("a 2xx answer that should have been a stream is none");
  deadline.lift();
  stream.once("close", () => {
    deadline.end();
    place?.release();
  });
  return { ...where, status, headers, body: stream, ...(place && { place }) };
};

/** For a small body, only the limit of its decoded size is known. */
function wholePlace(place: Place, bytes: number, deadline: Deadline): Promise<void> | undefined {
  const { promise, resolve } = Promise.withResolvers<void>();
  return place.grow(bytes, resolve) ? undefined : deadline.race(promise);
}

async function proveIdentity(
  prove: () => Promise<Record<string, string>>,
  deadline: Deadline,
): Promise<Record<string, string>> {
  try {
    return await deadline.race(prove());
  } catch (error) {
    // Whatever was sent to get the credential, this request was not.
    throw error instanceof HttpError && error.maybeSent ? notSent(error) : error;
  }
}

const isBefore = ({ phase }: Progress) => phase === "credential" || phase === "budget";

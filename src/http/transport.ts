// The HTTP client of one service, on undici: one origin, one deadline, one budget, one error model.

import { Agent, type Dispatcher } from "undici";
import type { Clock } from "../scheduler/clock.ts";
import type { RequestBudget } from "./budget.ts";
import type { HttpClient, HttpRequest } from "./client.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { HttpError } from "./errors.ts";
import { exchangeFailure, givenUp, notSent, type Progress, type Where } from "./failure.ts";
import { requestBody, requestHeaders, targetUrl } from "./outgoing.ts";
import { redirectTarget } from "./redirect.ts";
import { createResponse, readBody, tooLarge } from "./response.ts";
import { retryAfter, statusFailure } from "./status.ts";

export interface HttpClientOptions {
  /** As it stands in errors: "nexus". */
  service: string;
  /** Scheme, host and port; a request never leaves it. */
  origin: string;
  clock: Clock;
  /** Headers that prove who we are, asked for before each request. It must have a deadline of its own. */
  credential?: () => Promise<Record<string, string>>;
  /** Shared by all clients of the same server. */
  budget?: RequestBudget;
  timeoutMs: number;
  maxBytes: number;
  userAgent: string;
  /** Takes known secrets out of a text; default: leaves it as it is. */
  scrub?: (text: string) => string;
  /** Whether a 429 is about all requests to the server; default: each is. */
  isRateLimit?: (error: HttpError) => boolean;
  /** Shared connections; default: an Agent of this client's own. */
  dispatcher?: Dispatcher;
}

// Enough of an error answer to find its code in; the rest of a large one is not worth reading.
const MAX_ERROR_BYTES = 64 * 1024;

/** A request under way: what its errors have to know, and what ends it. */
interface Exchange {
  where: Where;
  progress: Progress;
  deadline: Deadline;
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Dispatcher.ResponseData["body"];
}

/** The client of one service; see HttpClient for what its requests promise. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { service, clock } = options;
  const { origin } = new URL(options.origin);
  const dispatcher = options.dispatcher ?? new Agent();

  const start = (request: HttpRequest): Exchange => {
    const where = { service, label: request.label };
    const progress: Progress = { phase: "credential", sent: false };
    const timeoutMs = request.timeoutMs ?? options.timeoutMs;
    const failure = (kind: "timeout" | "aborted") => givenUp(kind, where, progress, timeoutMs);
    return {
      where,
      progress,
      deadline: startDeadline({ clock, timeoutMs, signal: request.signal, failure }),
    };
  };

  /** Sends the request and follows its redirects, up to the headers of a 2xx. */
  const open = async (request: HttpRequest, exchange: Exchange): Promise<Answer> => {
    const { where, progress, deadline } = exchange;
    const budget = request.budget ?? options.budget;
    const content = requestBody(request);
    let url = targetUrl(origin, request.path, where);
    const credential = request.authorize === false ? {} : await proveIdentity(exchange);
    const headers = requestHeaders(request, options.userAgent, credential);

    for (let hops = 0; ; hops++) {
      progress.phase = "budget";
      const { priority = "normal" } = request;
      const lease =
        budget?.tryAcquire(priority) ?? (await budget?.acquire({ priority, signal: deadline.signal }));
      if (hops === 0) deadline.restart();
      progress.phase = "server";
      let answer: Answer;
      try {
        answer = await send({ url, method: request.method, headers, content }, exchange);
      } finally {
        // With the headers the exchange is over for the budget: the server has counted it by then.
        lease?.done();
      }
      if (isSuccess(answer)) return answer;

      // Only ever a URL on the same origin, so that the credential may go along.
      const next = refusing(answer, () =>
        redirectTarget(answer, { method: request.method, url, hops }, where),
      );
      if (next === undefined) throw await failed(answer, exchange, budget);
      answer.body.destroy();
      url = next;
    }
  };

  const proveIdentity = async ({ deadline }: Exchange): Promise<Record<string, string>> => {
    try {
      return await deadline.race(options.credential?.() ?? Promise.resolve({}));
    } catch (error) {
      // Whatever was sent to get the credential, this request was not.
      throw error instanceof HttpError && error.maybeSent ? notSent(error) : error;
    }
  };

  const send = async (
    request: {
      url: URL;
      method: HttpRequest["method"];
      headers: Record<string, string>;
      content: string | undefined;
    },
    { where, progress, deadline }: Exchange,
  ): Promise<Answer> => {
    try {
      const exchanged = noticingStart(dispatcher, () => {
        progress.sent = true;
      }).request({
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method,
        headers: request.headers,
        body: request.content ?? null,
        signal: deadline.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      // Raced, since undici does not report an abort before it has a connection.
      const { statusCode, headers, body } = await deadline.race(exchanged);
      // A body that is given up says so by an error event, even where nobody reads it any more.
      body.on("error", () => {});
      return { status: statusCode, headers: joined(headers), body };
    } catch (error) {
      throw exchangeFailure(error, where, progress.sent);
    }
  };

  const failed = async (
    answer: Answer,
    { where, deadline }: Exchange,
    budget: RequestBudget | undefined,
  ): Promise<HttpError> => {
    const error = await readFailure(answer, where).finally(deadline.end);
    // A 429 always has a time: the server's, or the default.
    if (answer.status === 429 && (options.isRateLimit?.(error) ?? true))
      budget?.cooldownUntil(clock.monotonic() + (retryAfter(answer.status, answer.headers, clock) ?? 0));
    return error;
  };

  const readFailure = async (answer: Answer, where: Where): Promise<HttpError> => {
    try {
      const body = (await readBody(answer.body, MAX_ERROR_BYTES))?.toString() ?? "";
      return statusFailure({ ...answer, body }, where, clock, options.scrub);
    } catch (error) {
      // The status says more than the fate of the body.
      const cause = exchangeFailure(error, where, true);
      return cause.kind === "aborted"
        ? cause
        : statusFailure({ ...answer, body: "", cause }, where, clock, options.scrub);
    }
  };

  return {
    origin,
    async request(request) {
      const exchange = start(request);
      const { where, deadline } = exchange;
      try {
        const answer = await open(request, exchange);
        const maxBytes = request.maxBytes ?? options.maxBytes;
        const body = await readBody(answer.body, maxBytes).catch((error) => {
          throw exchangeFailure(error, where, true);
        });
        if (body === undefined) throw tooLarge(maxBytes, answer.status, where);
        return createResponse({ ...answer, body }, where);
      } finally {
        deadline.end();
      }
    },
    async stream(request) {
      const exchange = start(request);
      const { where, deadline } = exchange;
      try {
        const answer = await open(request, exchange);
        deadline.lift();
        answer.body.once("close", deadline.end);
        return { ...where, ...answer };
      } catch (error) {
        deadline.end();
        throw error;
      }
    },
  };
}

const isSuccess = ({ status }: Answer) => status >= 200 && status < 300;

/** What `decide` gives; where it throws, the answer's connection is given up first. */
function refusing<T>(answer: Answer, decide: () => T): T {
  try {
    return decide();
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

/** A dispatcher that tells when a request begins to be written: until then the server cannot have seen it. */
const noticingStart = (dispatcher: Dispatcher, onStart: () => void): Dispatcher =>
  dispatcher.compose((dispatch) => (options, handler) => {
    const onRequestStart = handler.onRequestStart?.bind(handler);
    handler.onRequestStart = (controller, context) => {
      onStart();
      onRequestStart?.(controller, context);
    };
    return dispatch(options, handler);
  });

const joined = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
    ),
  );

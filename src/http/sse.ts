// The client of an event stream (WHATWG HTML, "Server-sent events"): holds one connection, and reconnects when it is
// lost.

import { createBackoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { HttpClient, HttpStream } from "./client.ts";
import { HttpError } from "./errors.ts";
import { createEventDecoder, type ServerSentEvent } from "./sse-decode.ts";
import { checkHead, giveUp, namesOtherCharset, readEvents } from "./sse-stream.ts";

export type { ServerSentEvent };

/** Why there is no connection, and the least wait. */
export interface Loss {
  /** Undefined if the server ended the stream normally. */
  error: HttpError | undefined;
  /** Connections in a row that failed, or were lost within 30 s; including this one. */
  failures: number;
  retryInMs: number;
}

/** The handlers of a stream. If one throws or rejects, the stream ends. */
export interface EventSourceHandler {
  /**
   * The response is there, which may still turn out not to be a stream. Its first event waits until this has resolved.
   */
  opened?(stream: HttpStream): Promise<void> | void;
  /**
   * The first readable data of a connection has arrived, if only a comment. Its events wait until this has resolved.
   */
  began?(): Promise<void> | void;
  /** The events of one piece of the response, in order. Nothing more is read until this has resolved. */
  events(events: ServerSentEvent[]): Promise<void> | void;
  /** Readable data has arrived, if only a comment. */
  activity?(): void;
  /** From here on a loss counts as the first: the connection has lasted 30 s. Called once per connection. */
  healthy?(): void;
  /** The connection is gone. The time until the next attempt already runs, and does not wait for this. */
  lost?(loss: Loss): Promise<void> | void;
}

export interface EventSourceOptions {
  http: Pick<HttpClient, "stream">;
  path: string;
  label: string;
  clock: Clock;
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  signal: AbortSignal;
  /** The longest silence, comments included; also for the head of the response. */
  idleTimeoutMs: number;
  /** The most that is kept of an unfinished line or event; beyond it, nexusd reconnects. Default 8 MiB. */
  maxEventBytes?: number;
  /** The longest backoff; the first is 1 s. Default 60 s. */
  longestBackoffMs?: number;
  /** The least wait after a failure, or that it is final. Default: a 204 is final, else the backoff. */
  afterFailure?(error: HttpError): number | "stop";
}

const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 60_000;
const HEALTHY_AFTER_MS = 30_000;
/** A server that asks for hours with `retry` is asked again after this. */
const LONGEST_RETRY_MS = 5 * 60_000;
const MAX_EVENT_BYTES = 8 * 1024 * 1024;

/**
 * Holds the stream: never more than one connection, each after the first with `Last-Event-ID` if the server gave one.
 * Between two there is the backoff with jitter, at least what the server asked for (`retry`, `Retry-After`). The
 * backoff is reset only after 30 s of life: otherwise a server that sends an event and ends the stream each time, most
 * of all a replay, would be asked without a pause. A browser gives up at any status except 200; here nobody would press
 * reload, so everything except a 204 is tried again. Redirects, the origin and the credential are the client's.
 *
 * Resolves if `afterFailure` says stop. Rejects with `signal.reason`, or with what the handler threw.
 */
export async function holdEventSource(
  options: EventSourceOptions,
  handler: EventSourceHandler,
): Promise<void> {
  const { clock, random, signal, afterFailure = stopsAt204 } = options;
  const backoff = createBackoff(random, FIRST_BACKOFF_MS, options.longestBackoffMs ?? LONGEST_BACKOFF_MS);
  const memory: Memory = { lastEventId: "", retryMs: 0 };
  let failures = 0;
  const onHealthy = () => {
    failures = 0;
    backoff.reset();
    handler.healthy?.();
  };
  for (;;) {
    signal.throwIfAborted();
    const error = await connect(options, handler, memory, onHealthy);
    signal.throwIfAborted();
    const lostAt = clock.monotonic();
    failures += 1;
    const least = error === undefined ? 0 : afterFailure(error);
    if (least === "stop") return;
    const asked = Math.max(Math.min(memory.retryMs, LONGEST_RETRY_MS), error?.retryAfterMs ?? 0);
    const retryInMs = Math.max(backoff.next(), asked, least);
    await handler.lost?.({ error, failures, retryInMs });
    await clock.sleep(Math.max(0, lostAt + retryInMs - clock.monotonic()), signal);
  }
}

/** What outlives a connection. */
interface Memory {
  lastEventId: string;
  retryMs: number;
}

/**
 * One connection, closed when this is over.
 * @returns what ended it, undefined if the server did normally; throws only what the handler threw
 */
async function connect(
  options: EventSourceOptions,
  handler: EventSourceHandler,
  memory: Memory,
  onHealthy: () => void,
): Promise<HttpError | undefined> {
  const { clock, idleTimeoutMs, signal, maxEventBytes = MAX_EVENT_BYTES } = options;
  const stream = await open(options, memory.lastEventId).catch(httpError);
  if (stream instanceof HttpError) return stream;

  const openedAt = clock.monotonic();
  let isHealthy = false;
  const healthy = () => {
    if (!isHealthy) onHealthy();
    isHealthy = true;
  };
  const onActivity = () => {
    if (clock.monotonic() - openedAt >= HEALTHY_AFTER_MS) healthy();
    handler.activity?.();
  };
  const decoder = createEventDecoder(maxEventBytes, memory.lastEventId, namesOtherCharset(stream));
  const pieces = readEvents(stream, { decoder, idleTimeoutMs, maxEventBytes, clock, signal, onActivity });
  try {
    await handler.opened?.(stream);
    for (let hasBegun = false; ; hasBegun = true) {
      // Not `for await`: what the stream throws must be told from what the handler throws.
      const piece = await pieces.next().catch(httpError);
      memory.lastEventId = decoder.lastEventId;
      memory.retryMs = decoder.retryMs ?? memory.retryMs;
      if (piece instanceof HttpError) return piece;
      if (piece.done) return undefined;
      if (!hasBegun) await handler.began?.();
      if (piece.value.length > 0) await handler.events(piece.value);
    }
  } finally {
    await pieces.return();
    await giveUp(stream.body);
  }
}

/** @throws HttpError also for a response that is no stream of events */
async function open(options: EventSourceOptions, lastEventId: string): Promise<HttpStream> {
  const { http, path, label, idleTimeoutMs, signal } = options;
  const id = headerValue(lastEventId);
  const stream = await http.stream({
    method: "GET",
    path,
    label,
    headers: {
      accept: "text/event-stream",
      "cache-control": "no-store",
      ...(id === undefined ? {} : { "last-event-id": id }),
    },
    timeoutMs: idleTimeoutMs,
    signal,
  });
  // It may fail before it is read.
  stream.body.on("error", () => {});
  try {
    checkHead(stream);
    return stream;
  } catch (error) {
    await giveUp(stream.body);
    throw error;
  }
}

/** UTF-8, as a header carries it; undefined where there is none, or one that no header can carry. */
function headerValue(id: string): string | undefined {
  const bytes = Buffer.from(id).toString("latin1");
  return /^[\t\x20-\x7e\x80-\xff]+$/.test(bytes) ? bytes : undefined;
}

function httpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  throw error;
}

const stopsAt204 = ({ status }: HttpError) => (status === 204 ? "stop" : 0);

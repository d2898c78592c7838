// Nex over HTTP: the insight stream and the REST list that closes its gaps.

import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/exact-json.ts";
import { excessOf } from "../../core/json-shape.ts";
import { unexpectedShape } from "../../http/answer.ts";
import type { RequestBudget } from "../../http/budget.ts";
import type { HttpClient } from "../../http/client.ts";
import { createServerTime } from "../../http/server-time.ts";
import { type EventSourceHandler, holdEventSource, type ServerSentEvent } from "../../http/sse.ts";
import type { Histogram } from "../counts.ts";
import { type InsightBatch, readInsights } from "./insights.ts";
import { limitForOperations } from "./limits.ts";
import { waitAfter } from "./stream-failure.ts";
import type { StreamStateName } from "./stream-state.ts";

export const PREFIX = "/api/developers/v1";
/** The most that the list returns; a list of exactly this many may be cut. */
export const LIST_LIMIT = 100;

export interface NexClient {
  /** For operations: with the credential, one origin, the deadline, and the limits of src/services/nex/limits.ts. */
  readonly http: HttpClient;
  /** Updated by the job that holds the stream, shown by status. */
  readonly status: StreamStatus;
  /** Seconds from the creation of a live insight to its commit. */
  readonly delays: Histogram;
  /** The time by Nex's clock, in milliseconds since the Unix epoch. */
  now(): number;
  /** Holds the insight stream, one connection at a time, until the signal aborts or the handler fails. */
  holdStream(handler: EventSourceHandler, signal: AbortSignal): Promise<void>;
  /**
   * The insights of a window (ms since the epoch), at most LIST_LIMIT, in no particular order. One request, without
   * retries. @throws HttpError
   */
  listInsights(from: number, to: number, signal: AbortSignal): Promise<InsightBatch>;
}

export interface StreamStatus {
  state: StreamStateName;
  since: string | null;
  /** Streams in a row that failed before they were healthy. */
  failures: number;
  /** When the next attempt is. */
  nextAttemptAt: string | null;
  /** By Nex's clock: everything that was emitted before is in the log, or in a reported gap. */
  coveredUntil: string | null;
  /** The stream is open, but what was missed since `coveredUntil` could not be fetched yet. */
  isMissing: boolean;
}

/** Whole seconds, because no document shows fractions. */
const wholeSeconds = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** Nex's clock is known to a second. */
export const INSIGHT_DELAY_BOUNDS = [1, 2, 5, 10, 30, 60, 300, 1800];

export function createNexClient(options: {
  http: HttpClient;
  clock: Clock;
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  /** For `POST /v1/context/text`; survives the client, as the server's window does. */
  texts: RequestBudget;
  delays: Histogram;
  /** Silence after which the stream counts as lost. */
  idleTimeoutMs: number;
  /** For REST, which may take a minute to answer. */
  timeoutMs: number;
}): NexClient {
  const { clock, random, texts, delays, idleTimeoutMs, timeoutMs } = options;
  const serverTime = createServerTime(clock);
  const http: HttpClient = {
    ...options.http,
    async request(request) {
      const response = await options.http.request(request);
      serverTime.observe(response.headers);
      return response;
    },
  };
  return {
    http: limitForOperations(http, { texts, textsPath: `${PREFIX}/context/text`, timeoutMs, clock }),
    now: serverTime.now,
    delays,
    status: {
      ...{ state: "connecting", since: null, failures: 0, nextAttemptAt: null },
      ...{ coveredUntil: null, isMissing: false },
    },
    async holdStream(handler, signal) {
      const source = { path: `${PREFIX}/insights/stream`, label: "GET /v1/insights/stream" };
      await holdEventSource(
        { ...source, http, clock, random, signal, idleTimeoutMs, afterFailure: waitAfter },
        {
          ...handler,
          async opened(stream) {
            serverTime.observe(stream.headers);
            await handler.opened?.(stream);
          },
        },
      );
    },
    async listInsights(from, to, signal) {
      const query = new URLSearchParams({
        from: wholeSeconds(from),
        to: wholeSeconds(to + 999),
        limit: String(LIST_LIMIT),
      });
      const label = "GET /v1/insights";
      const path = `${PREFIX}/insights?${query}`;
      const response = await http.request({ method: "GET", path, label, timeoutMs, signal });
      const batch = readInsights(response.json());
      if (!batch)
        throw unexpectedShape(
          { service: "nex", label, status: response.status },
          "with insights in an unknown shape",
        );
      return { ...batch, size: response.body.length };
    },
  };
}

export type StreamBatch = InsightBatch & {
  isReplay: boolean;
  /** Whether the payload had an unknown shape, so that `insights` is empty for that reason. */
  isUnreadable: boolean;
};

/**
 * Undefined for an event about something else, which is skipped and must not break the stream. An event with another
 * name that contains insights is accepted, since only two names were ever documented.
 */
export function readBatch({ event, data }: ServerSentEvent): StreamBatch | undefined {
  const isNamed = event.startsWith("insight.");
  if (!isNamed && !data.includes('"insights"')) return undefined;
  const batch = readInsights(parse(data));
  if (!isNamed && !batch) return undefined;
  return {
    ...(batch ?? { insights: [], workspace: null }),
    size: data.length,
    isReplay: event === "insight.replay",
    isUnreadable: batch === undefined,
  };
}

const parse = (data: string): unknown => {
  if (excessOf(data) !== undefined) return undefined;
  try {
    return parseJson(data);
  } catch {
    return undefined;
  }
};

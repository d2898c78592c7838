// Nex over HTTP: the insight stream and the REST list that closes its gaps.

import type { RequestBudget } from "../../http/budget.ts";
import type { HttpClient, Retry } from "../../http/client.ts";
import { HttpError } from "../../http/errors.ts";
import { parseJson } from "../../http/json.ts";
import { createEventDecoder } from "../../http/sse-decode.ts";
import { readEvents } from "../../http/sse-stream.ts";
import type { Clock } from "../../scheduler/clock.ts";
import { type InsightBatch, readInsights } from "./insights.ts";
import { limitForOperations } from "./limits.ts";

export const PREFIX = "/api/developers/v1";
/** The most that the list gives; a list of exactly so many may have been cut. */
export const LIST_LIMIT = 100;

export type StreamBatch = InsightBatch & {
  isReplay: boolean;
  /** Whether the payload was in no known shape, so that `insights` is empty without meaning it. */
  isUnreadable: boolean;
};

export interface InsightStream {
  /** Ends when the server ends the stream; throws HttpError when it is cut or silent for too long. */
  batches: AsyncIterable<StreamBatch>;
}

export interface NexClient {
  /** For operations: with the credential, one origin, the deadline, and the limits of src/services/nex/limits.ts. */
  readonly http: HttpClient;
  /** Filled in by the job that holds the stream, shown by status. */
  readonly status: StreamStatus;
  /** @param onActivity called at every sign of life, keepalives included */
  openStream(signal: AbortSignal, onActivity: () => void): Promise<InsightStream>;
  /** The insights of a window (ms since the epoch), at most LIST_LIMIT, in no promised order. */
  listInsights(from: number, to: number, signal: AbortSignal): Promise<InsightBatch>;
}

export interface StreamStatus {
  state: "connecting" | "live" | "recovering" | "polling";
  since: string | null;
  /** Everything that was emitted before is in the log. */
  coveredUntil: string | null;
}

/** Whole seconds, because no document shows the service taking fractions. */
const wholeSeconds = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

export function createNexClient(options: {
  http: HttpClient;
  retry: Retry;
  clock: Clock;
  /** For `POST /v1/context/text`; it outlives the client, as the server's window does. */
  texts: RequestBudget;
  /** Silence on the stream that counts as its death. */
  idleTimeoutMs: number;
  /** For REST, which may take a minute to answer. */
  timeoutMs: number;
}): NexClient {
  const { http, retry, clock, texts, idleTimeoutMs, timeoutMs } = options;
  return {
    http: limitForOperations(http, { texts, textsPath: `${PREFIX}/context/text`, timeoutMs, clock }),
    status: { state: "connecting", since: null, coveredUntil: null },
    async openStream(signal, onActivity) {
      const stream = await http.stream({
        method: "GET",
        path: `${PREFIX}/insights/stream`,
        label: "GET /v1/insights/stream",
        headers: { accept: "text/event-stream" },
        timeoutMs: idleTimeoutMs,
        signal,
      });
      const decoder = createEventDecoder(8_000_000);
      const events = readEvents(stream, {
        decoder,
        maxEventBytes: 8_000_000,
        idleTimeoutMs,
        clock,
        signal,
        onActivity,
      });
      return { batches: readBatches(events) };
    },
    async listInsights(from, to, signal) {
      const query = new URLSearchParams({
        from: wholeSeconds(from),
        to: wholeSeconds(to + 999),
        limit: String(LIST_LIMIT),
      });
      const label = "GET /v1/insights";
      const response = await retry(
        () => http.request({ method: "GET", path: `${PREFIX}/insights?${query}`, label, timeoutMs, signal }),
        { signal, deadlineMs: timeoutMs },
      );
      const batch = readInsights(response.json());
      if (!batch)
        throw new HttpError({
          kind: "invalid_body",
          service: "nex",
          label,
          status: response.status,
          code: "unexpected_shape",
          message: `nex: ${label} answered insights in a shape that is not known`,
          retryable: false,
          maybeSent: true,
        });
      return batch;
    },
  };
}

/** Events of unknown names are passed over: they must not break the stream. */
async function* readBatches(
  pieces: AsyncIterable<{ event: string; data: string }[]>,
): AsyncGenerator<StreamBatch> {
  for await (const events of pieces)
    for (const { event, data } of events) {
      if (!event.startsWith("insight.")) continue;
      const batch = readInsights(parse(data));
      yield {
        ...(batch ?? { insights: [], workspace: null }),
        isReplay: event === "insight.replay",
        isUnreadable: batch === undefined,
      };
    }
}

const parse = (data: string): unknown => {
  try {
    return parseJson(data);
  } catch {
    return undefined;
  }
};

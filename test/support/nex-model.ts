// Nex as a model in memory, on a fake clock: its stream byte by byte, its list, its retention, and all its faults.

import { Readable } from "node:stream";
import type { Random } from "../../bench/traffic.ts";
import type { HttpClient, HttpRequest, HttpStream } from "../../src/http/client.ts";
import { HttpError } from "../../src/http/errors.ts";
import { createResponse } from "../../src/http/response.ts";
import type { FakeClock } from "./fake-clock.ts";

export interface ModelInsight {
  type: string;
  content: string;
  created_at: string;
}

/** The faults; each is read on every turn, so a test can change it over time. */
export interface Weather {
  /** Milliseconds until the head of a response; never: Infinity. */
  latencyMs(): number;
  /** A status instead of the stream or the list; "network": no connection; undefined: it works. */
  streamFault(): number | "network" | "json" | undefined;
  listFault(): number | "network" | undefined;
  /** The connection is cut after this many bytes. */
  bytesUntilCut(): number;
  /** This many of the bytes written at once arrive later, together: the stream stalls. */
  stallMs(): number;
  /** A batch is sent this many times. */
  copies(): number;
}

export interface NexModel {
  http: HttpClient;
  /** By its own clock. */
  now(): number;
  /** The machine of the daemon slept: time passed here, and nothing ran there. */
  sleep(ms: number): void;
  /** @param ageMs created this long ago, and stored only now */
  emit(insights: { type: string; content: string }[], ageMs?: number): void;
  /** Cuts every open stream. */
  cut(): void;
  /** Everything ever emitted, and the part that is still kept. */
  emitted: ModelInsight[];
  kept(): ModelInsight[];
  /** Times of the requests, in monotonic milliseconds. */
  requests: { path: string; at: number }[];
  mostStreams(): number;
}

const LIST_LIMIT = 100;
const REPLAY = 20;

export function createNexModel(options: {
  clock: FakeClock;
  random: Random;
  weather: Weather;
  retention: number;
  /** One event per replayed insight, without its time, instead of one batch. */
  isReplayVague: boolean;
  signal: AbortSignal;
}): NexModel {
  const { clock, weather, signal } = options;
  const startedAt = clock.now();
  let slept = 0;
  let kept: ModelInsight[] = [];
  let open = 0;
  let most = 0;
  const emitted: ModelInsight[] = [];
  const requests: NexModel["requests"] = [];
  const subscribers = new Set<(text: string) => void>();
  const bodies = new Set<Readable>();
  const now = () => startedAt + clock.monotonic() + slept;
  const headers = (type: string) => ({ "content-type": type, date: new Date(now()).toUTCString() });
  const failure = (
    request: HttpRequest,
    kind: "network" | "status" | "aborted" | "timeout",
    status?: number,
  ) =>
    new HttpError({
      ...{ service: "nex", label: request.label, kind, message: `${request.label} ${kind}`, maybeSent: true },
      ...(status === undefined ? {} : { status }),
      code: status === undefined ? kind : `http_${status}`,
      retryable: status === undefined || status >= 500,
    });

  /** Waits for the head of a response. */
  const head = async (request: HttpRequest, fault: number | "network" | undefined) => {
    requests.push({ path: request.path, at: clock.monotonic() });
    const waitMs = weather.latencyMs();
    const limitMs = request.timeoutMs ?? 120_000;
    await clock.sleep(Math.min(waitMs, limitMs), request.signal).catch(() => {
      throw failure(request, "aborted");
    });
    if (waitMs > limitMs) throw failure(request, "timeout");
    if (fault === "network") throw failure(request, "network");
    if (fault !== undefined) throw failure(request, "status", fault);
  };

  const batch = (event: string, insights: ModelInsight[]) =>
    `event: ${event}\ndata: ${JSON.stringify({
      workspace: { name: "größe" },
      insights,
      insight_count: insights.length,
      emitted_at: new Date(now()).toISOString(),
    })}\n\n`;
  const replay = () => {
    const latest = kept.slice(-REPLAY);
    if (latest.length === 0) return "";
    if (!options.isReplayVague) return batch("insight.replay", latest);
    return latest
      .map(({ type, content }) => `event: insight.replay\ndata: ${JSON.stringify({ type, content })}\n\n`)
      .join("");
  };

  /** A body that is cut and that stalls. */
  const openBody = (request: HttpRequest): Readable => {
    const body = new Readable({ read() {} });
    let left = weather.bytesUntilCut();
    let stalled: Promise<void> | undefined;
    const write = (text: string) => {
      const bytes = Buffer.from(text);
      if (body.destroyed || left < 0) return;
      body.push(bytes.subarray(0, left));
      left -= bytes.length;
      // What was written before the cut still arrives.
      if (left < 0) setImmediate(() => body.destroy(failure(request, "network")));
    };
    const send = (text: string) => {
      if (!stalled) {
        const ms = weather.stallMs();
        if (ms === 0) return write(text);
        stalled = clock.sleep(ms, signal).then(
          () => {
            stalled = undefined;
          },
          () => {},
        );
      }
      void stalled.then(() => write(text));
    };
    open += 1;
    most = Math.max(most, open);
    bodies.add(body);
    body.once("close", () => {
      open -= 1;
      bodies.delete(body);
      subscribers.delete(send);
    });
    send(": connected workspace_id=1 token_id=2\n\n");
    send(replay());
    subscribers.add(send);
    return body;
  };

  const list = (request: HttpRequest) => {
    const query = new URL(request.path, "http://nex.invalid").searchParams;
    const [from, to] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
    const page = kept
      .filter(({ created_at }) => Date.parse(created_at) >= from && Date.parse(created_at) <= to)
      .slice(-LIST_LIMIT)
      .reverse();
    return Buffer.from(JSON.stringify({ insights: page, insight_count: page.length }));
  };

  const keepalive = async () => {
    for (;;) {
      await clock.sleep(30_000, signal);
      for (const send of subscribers) send(": keepalive\n\n");
    }
  };
  keepalive().catch(() => {});

  return {
    now,
    cut() {
      for (const body of bodies) body.destroy(new Error("cut"));
    },
    emitted,
    requests,
    kept: () => kept,
    mostStreams: () => most,
    sleep(ms) {
      slept += ms;
      clock.jump(ms);
    },
    emit(insights, ageMs = 0) {
      const created_at = new Date(now() - ageMs).toISOString();
      const made = insights.map((insight) => ({ ...insight, created_at }));
      emitted.push(...made);
      kept = [...kept, ...made].slice(-options.retention);
      const copies = weather.copies();
      for (const send of subscribers)
        for (let n = 0; n < copies; n++) send(batch("insight.batch.created", made));
    },
    http: {
      origin: "http://nex.invalid",
      async request(request) {
        // As of its arrival: the worst case for the client, because the answer misses everything that arrives during
        // it.
        const body = list(request);
        await head(request, weather.listFault());
        return createResponse(
          { status: 200, headers: headers("application/json"), body },
          {
            service: "nex",
            label: request.label,
          },
        );
      },
      async stream(request): Promise<HttpStream> {
        const fault = weather.streamFault();
        await head(request, fault === "json" ? undefined : fault);
        const where = { service: "nex", label: request.label, status: 200 };
        if (fault === "json")
          return { ...where, headers: headers("application/json"), body: Readable.from(["{}"]) };
        return { ...where, headers: headers("text/event-stream"), body: openBody(request) };
      },
    },
  };
}

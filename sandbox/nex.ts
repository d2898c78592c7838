/** A local stand-in for the developer API of Nex: the insight stream, its REST fallback, and the CRM behind it. */

import { type SandboxClock, systemClock } from "./clock.ts";
import {
  type HttpRequest,
  json,
  type OpenStream,
  type Reply,
  type StandIn,
  type StreamReply,
  startStandIn,
} from "./http.ts";
import { number, object, string } from "./input.ts";
import type { Notification } from "./nex-account.ts";
import { type Crm, type CrmOptions, openCrm } from "./nex-crm.ts";
import {
  batchPayload,
  completeInsight,
  enriched,
  type Insight,
  type InsightShape,
  replayedInsight,
  restPayload,
  type StoredInsight,
  workspaceId,
} from "./nex-insights.ts";
import { inWindow, readWindow } from "./nex-window.ts";

export interface NexOptions extends CrmOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  clock?: SandboxClock;
  apiKey: string;
  /** The scopes of the key; all existing ones by default. Insights need `insight.stream`. */
  scopes?: string[];
  /** How many of the latest insights a new stream starts with; 20 by default. */
  replaySize?: number;
  /** Real time between two keepalive comments; 30,000 by default. */
  keepaliveMs?: number;
  /** How the REST endpoint wraps insights; `insights` by default. */
  shape?: InsightShape;
  /** One replay event with all insights (default), or one simplified event for each. */
  replayStyle?: "batch" | "single";
  /** Whether enriched insights carry an id; false by default. The `data` shape always has one. */
  withIds?: boolean;
  /** How many insights the server keeps; the oldest are dropped first; 10,000 by default. */
  retention?: number;
}

export interface NexServer extends StandIn, Pick<Crm, "notify" | "agree" | "setProcessing"> {
  /** One batch: stored, and sent on the open streams unless `live` is false. Returns the insights, completed. */
  emit(insights: Partial<Insight>[], options?: { live?: boolean }): Insight[];
  /** Breaks every open stream. */
  cutStreams(): void;
  /** How many streams are open now. */
  streams(): number;
  /** The maximum number of simultaneously open streams so far. */
  maxConcurrentStreams(): number;
  setShape(shape: InsightShape): void;
  setScopes(scopes: string[]): void;
}

interface Subscriber {
  request: HttpRequest;
  stream: OpenStream;
}

export async function startNex(options: NexOptions): Promise<NexServer> {
  const clock = options.clock ?? systemClock();
  const withIds = options.withIds ?? false;
  const subscribers = new Set<Subscriber>();
  let stored: StoredInsight[] = [];
  let shape = options.shape ?? "insights";
  const crm = openCrm(clock, options);
  let scopes = options.scopes ?? ["insight.stream", ...crm.scopes];
  let mostStreams = 0;
  // It fits no double, so a client that rounds is detected.
  let nextId = 48066188026052611n;

  const actions = {
    emit(insights: Partial<Insight>[], { live = true }: { live?: boolean } = {}): Insight[] {
      const operationId = nextId++;
      const batch = insights.map((partial) => {
        const { id = String(nextId++), ...told } = partial;
        return { insight: completeInsight(told, clock.now()), id, operationId };
      });
      stored = [...stored, ...batch].slice(-(options.retention ?? 10_000));
      if (live && batch.length > 0) {
        for (const subscriber of subscribers) {
          sendEvent(subscriber, "insight.batch.created", batchPayload(batch, clock.now(), withIds));
        }
      }
      return batch.map((one) => enriched(one, withIds));
    },
    cutStreams() {
      for (const { stream } of subscribers) stream.cut();
    },
    setShape(next: InsightShape) {
      shape = next;
    },
    setScopes(next: string[]) {
      scopes = next;
    },
  };

  /** Adds a Date header from the clock that its windows use. */
  function dated<R extends Reply | StreamReply>(reply: R): R {
    return { ...reply, headers: { date: new Date(clock.now()).toUTCString(), ...reply.headers } };
  }

  function openStream(request: HttpRequest): StreamReply {
    const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };
    return {
      status: 200,
      headers,
      open(stream) {
        const subscriber = { request, stream };
        stream.write(`: connected workspace_id=${workspaceId} token_id=sandbox\n\n`);
        replay(subscriber);
        subscribers.add(subscriber);
        mostStreams = Math.max(mostStreams, subscribers.size);
        const keepalive = setInterval(() => stream.write(": keepalive\n\n"), options.keepaliveMs ?? 30_000);
        stream.onClose(() => {
          clearInterval(keepalive);
          subscribers.delete(subscriber);
        });
      },
    };
  }

  function replay(subscriber: Subscriber): void {
    const latest = newest(stored, options.replaySize ?? 20).reverse();
    if (latest.length === 0) return;
    if (options.replayStyle === "single") {
      for (const one of latest) sendEvent(subscriber, "insight.replay", replayedInsight(one, withIds));
    } else {
      sendEvent(subscriber, "insight.replay", batchPayload(latest, clock.now(), withIds));
    }
  }

  function listInsights(request: HttpRequest): Reply {
    const window = readWindow(request.url.searchParams, clock.now());
    if (typeof window === "string") return apiError(400, window);
    const page = newest(
      stored.filter(({ insight }) => inWindow(window, insight.created_at)),
      window.limit,
    );
    const isTwice = page.length > 0 && request.takeDuplicate();
    const body = restPayload(isTwice ? [...page, ...page] : page, clock.now(), shape, withIds);
    return { status: 200, headers: { "content-type": "application/json" }, body };
  }

  function handle(request: HttpRequest): Reply | StreamReply {
    if (request.header("authorization") !== `Bearer ${options.apiKey}`) {
      return apiError(401, "Invalid or missing API key");
    }
    const developers = /^\/api\/developers(\/.*)$/.exec(request.url.pathname)?.[1] ?? "";
    const path = /^\/v1\/insights(\/stream)?$/.exec(developers);
    if (request.method !== "GET" || path === null)
      return crm.handle(request, developers, scopes) ?? apiError(404, "Not found");
    if (!scopes.includes("insight.stream")) return apiError(403, "API key is missing scope insight.stream");
    return path[1] === undefined ? listInsights(request) : openStream(request);
  }

  const server = await startStandIn({
    port: options.port ?? 0,
    clock,
    handle: (request) => dated(handle(request)),
    errorReply: (status) => dated(apiError(status, `HTTP ${status}`)),
    controls: {
      emit(value, body) {
        if (!Array.isArray(value)) throw new Error("emit must be an array of insights");
        // A test may send what the real service never would: only the fields used here are read.
        const insights = value.map((one) => object(one, "insight") as Partial<Insight>);
        return actions.emit(insights, { live: body.live !== false });
      },
      cutStreams: actions.cutStreams,
      notify(value) {
        if (!Array.isArray(value)) throw new Error("notify must be an array of notifications");
        return crm.notify(value.map((one) => object(one, "notification") as Partial<Notification>)); // as for emit
      },
      agree: (value) => crm.agree(string(value, "agree")),
      setProcessing(value) {
        const { ms, error } = object(value, "setProcessing");
        crm.setProcessing({
          ...(ms !== undefined && { ms: number(ms, "setProcessing.ms") }),
          ...(error !== undefined && { error: string(error, "setProcessing.error") }),
        });
      },
      setShape(value) {
        if (value !== "insights" && value !== "data" && value !== "bare") {
          throw new Error("setShape must be insights, data or bare");
        }
        actions.setShape(value);
      },
      setScopes(value) {
        if (!Array.isArray(value)) throw new Error("setScopes must be an array");
        actions.setScopes(value.map(String));
      },
    },
    state: () => ({
      streams: subscribers.size,
      maxConcurrentStreams: mostStreams,
      insights: stored.length,
      shape,
      scopes,
      ...crm.state(),
    }),
  });
  const { notify, agree, setProcessing } = crm;
  return {
    ...server,
    ...actions,
    ...{ notify, agree, setProcessing },
    streams: () => subscribers.size,
    maxConcurrentStreams: () => mostStreams,
  };
}

function sendEvent({ request, stream }: Subscriber, event: string, data: string): void {
  const frame = `event: ${event}\ndata: ${data}\n\n`;
  stream.write(request.takeDuplicate() ? frame + frame : frame);
}

/** The latest by creation time, newest first; at the same instant, the one that arrived last. */
function newest(stored: StoredInsight[], count: number): StoredInsight[] {
  const time = (one: StoredInsight) => Date.parse(one.insight.created_at);
  return stored
    .toReversed()
    .sort((a, b) => time(b) - time(a))
    .slice(0, count);
}

function apiError(code: number, message: string): Reply {
  return json(code, { code, message });
}

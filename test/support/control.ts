// The control API on real sockets and a real store, with a scheduler and services scripted by the test.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { isBuiltin } from "node:module";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { SinkStatus } from "../../src/contract/api/sinks.ts";
import type { ServiceStatus } from "../../src/contract/api/status.ts";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { Store } from "../../src/contract/store.ts";
import type { OperationSummary } from "../../src/contract/writes.ts";
import type { AuditStatus, ControlContext, Role } from "../../src/control/context.ts";
import type { Measured } from "../../src/control/metrics/metric.ts";
import { startControl } from "../../src/control/server.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { createHistory } from "../../src/history/history.ts";
import { JobError, type JobStatus, type RunOutcomes } from "../../src/scheduler/job.ts";
import { createCounts, createHistogram } from "../../src/services/counts.ts";
import { POLL_GAP_BOUNDS } from "../../src/services/messaging/client.ts";
import { messagingMetrics } from "../../src/services/messaging/metrics.ts";
import { messagingRoutes } from "../../src/services/messaging/routes.ts";
import { INSIGHT_DELAY_BOUNDS } from "../../src/services/nex/client.ts";
import { nexMetrics } from "../../src/services/nex/metrics.ts";
import { nexRoutes } from "../../src/services/nex/routes.ts";
import { nexusMetrics } from "../../src/services/nexus/metrics.ts";
import { nexusRoutes } from "../../src/services/nexus/routes.ts";
import { SinkError } from "../../src/sinks/errors.ts";
import { createFigures } from "../../src/sinks/figures.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { limitsOf } from "./limits.ts";
import { scriptedReads, scriptedWrites } from "./scripted-writes.ts";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  // What a test expects of the body it says itself.
  // biome-ignore lint/suspicious/noExplicitAny: read by assertions only
  json: any;
}

export interface CallOptions {
  role?: Role;
  body?: unknown;
  /** Sent verbatim, instead of `body`. */
  raw?: string;
  headers?: Record<string, string | string[]>;
  signal?: AbortSignal;
}

export const okService: ServiceStatus = { state: "ok", lastSuccessAt: null, lastError: null };

export const updateOrderStatus: OperationSummary = {
  name: "nexus.orders.update_status",
  service: "nexus",
  effect: "write",
  title: "Change the status of an order",
  description: "Moves an order on.",
  approval: "operator",
  idempotent: true,
  destructive: false,
  inputSchema: { type: "object", properties: { orderId: { type: "string" } } },
};

export const cronJob = (changes: Partial<JobStatus> = {}): JobStatus => ({
  name: "nexus-low-stock",
  kind: "cron",
  description: "Watches the stock",
  service: "nexus",
  state: "ok",
  node: null,
  schedule: "*/5 * * * *",
  intervalMs: 300_000,
  running: false,
  lastRunAt: null,
  lastSuccessAt: null,
  nextRunAt: null,
  lastError: null,
  failures: 0,
  runs: 0,
  ...changes,
});

/** What the kernel reports about the client; null: this Node.js cannot ask it. */
export const OWN_USER: string | null =
  process.platform === "linux" && isBuiltin("node:ffi") ? userInfo().username : null;

export type TestControl = Awaited<ReturnType<typeof startTestControl>>;

export async function temporaryDirectory(cleanup: Cleanup = afterThisTest): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "nexusd-"));
  cleanup(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

type Cleanup = (work: () => Promise<void>) => unknown;
const afterThisTest: Cleanup = (work) => onTestFinished(() => work());

/** Stopped after the current test, or when `cleanup` runs. `state` may be changed while it runs. */
export async function startTestControl(
  options: {
    clock?: Clock;
    context?: Partial<ControlContext>;
    cleanup?: Cleanup;
    /** Where the sockets are; default: beside the database. */
    socketDirectory?: string;
    /** The write path for this store; default: the scripted one. */
    writePath?: (store: Store, clock: Clock) => Pick<ControlContext, "writes" | "reads" | "operations">;
  } = {},
) {
  const cleanup = options.cleanup ?? afterThisTest;
  const directory = await temporaryDirectory(cleanup);
  const clock = options.clock ?? systemClock;
  const store = await openStore({ dataDir: directory, clock });
  const stop = new AbortController();
  const logged: Record<string, unknown>[] = [];
  const state = {
    jobs: [cronJob()],
    services: { messaging: okService, nex: okService, nexus: okService },
    store: { state: "ok" as "ok" | "degraded", lastError: null },
    audit: { state: "ok", why: null, verifiedAt: "2026-01-01T00:00:00.000Z" } as AuditStatus,
    notedHeads: [] as { rows: number; head: string }[],
    run: async (_name: string): Promise<void> => {},
    outcomes: new Map<string, RunOutcomes>(),
    measured: {
      counts: createCounts(),
      handedOver: createFigures(),
      droppedLogLines: () => 0,
      budgets: () => [],
      ofServices: () => [
        ...messagingMetrics(() => [], createHistogram(POLL_GAP_BOUNDS)),
        ...nexMetrics(() => null, createHistogram(INSIGHT_DELAY_BOUNDS)),
        ...nexusMetrics(() => null),
      ],
    } as Measured,
    sinks: [] as SinkStatus[],
    sinkTroubles: [] as string[],
    operations: [updateOrderStatus],
    ownEventTypes: [] as string[],
    limits: limitsOf(),
  };
  const writes = scriptedWrites();
  const setState = (name: string, changed: JobStatus["state"]) => {
    state.jobs = state.jobs.map((job) => (job.name === name ? { ...job, state: changed } : job));
  };
  const context: ControlContext = {
    version: "1.2.3",
    startedAt: "2026-01-01T00:00:00.000Z",
    clock,
    store,
    log: pino({ level: "trace" }, { write: (line: string) => logged.push(JSON.parse(line)) }),
    scheduler: {
      start: () => {},
      stop: async () => {},
      reconfigure: () => {},
      retryNow: () => {},
      wake: () => {},
      list: () => state.jobs,
      pulses: () => [],
      outcomes: () => state.outcomes,
      run: (name) => state.run(name),
      pause: async (name) => setState(name, "paused"),
      resume: async (name) => setState(name, "starting"),
    },
    sinks: {
      list: async () => state.sinks,
      troubles: () => state.sinkTroubles,
      named: () => {
        throw new SinkError("sink_not_found", "There is no sink of this name. GET /v1/sinks lists them.");
      },
    },
    writes,
    reads: scriptedReads(),
    operations: () => state.operations,
    signal: stop.signal,
    services: () => state.services,
    storeStatus: () => state.store,
    history: createHistory({ store, clock, measure: async () => [] }),
    fleet: {
      ...{ isShared: false, drain: async () => {} },
      view: () => ({ asOf: new Date(clock.now()).toISOString(), node: "test", nodes: [] }),
    },
    audit: {
      status: () => state.audit,
      verify: (head) => store.verifyAudit(head),
      note: (rows, head) => state.notedHeads.push({ rows, head }),
    },
    measured: state.measured,
    ownEventTypes: () => state.ownEventTypes,
    limits: () => state.limits,
    routes: [
      ...messagingRoutes({
        store,
        lastPolledAt: () => undefined,
        importSessions: async (sessions) =>
          sessions.map(({ sessionId, alias = null }) => ({
            ...{ sessionId, outcome: "imported", alias, note: null },
          })),
      }),
      ...nexRoutes(store),
      ...nexusRoutes(store),
    ],
    reload: async () => ({ applied: ["jobs.retention.schedule"], restartNeeded: [] }),
    ...options.writePath?.(store, clock),
    ...options.context,
  };
  const at = options.socketDirectory ?? directory;
  const sockets = { agent: join(at, "agent.sock"), operator: join(at, "operator.sock") };
  const control = await startControl({ context, sockets });
  cleanup(async () => {
    await control.close();
    await store.close();
  });

  const call = (method: string, path: string, call: CallOptions = {}): Promise<Answer> =>
    send(sockets[call.role ?? "operator"], method, path, call);
  return {
    ...{ directory, clock, store, stop, state, writes, context, sockets, control, logged, call },
    get: (path: string, options?: CallOptions) => call("GET", path, options),
    stream: (path: string, headers: Record<string, string> = {}) => openStream(sockets.agent, path, headers),
    /** Commits events in one transaction. @returns the newest sequence */
    append: async (...events: NewEvent[]) =>
      (await store.commitObservation({ source: "test", events })).latest,
  };
}

const open = (socketPath: string, method: string, path: string, options: CallOptions) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const outgoing = request(
      {
        socketPath,
        method,
        path,
        agent: false,
        headers: {
          host: "nexusd",
          ...(options.body !== undefined && { "content-type": "application/json" }),
          ...options.headers,
        },
        ...(options.signal && { signal: options.signal }),
      },
      resolve,
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });

/** One request on a connection of its own. */
export async function send(
  socketPath: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const response = await open(socketPath, method, path, options);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  const isJson = /json/.test(response.headers["content-type"] ?? "") && text !== "";
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

/** A reader of server-sent events that reads only on request. */
async function openStream(socketPath: string, path: string, headers: Record<string, string> = {}) {
  const response = await open(socketPath, "GET", path, { headers });
  const messages: EventSourceMessage[] = [];
  const comments: string[] = [];
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onComment: (comment) => comments.push(comment),
  });
  response.setEncoding("utf8").on("data", (chunk: string) => parser.feed(chunk));
  // A stream cut by the daemon or the test ends in an error here; only what arrived before counts.
  response.on("error", () => {});
  const ended = once(response, "close");
  const until = async (isThere: () => boolean) => {
    while (!isThere()) {
      if (response.closed) throw new Error("the stream ended before what was waited for");
      await Promise.race([once(response, "data"), ended]);
    }
  };
  return {
    ...{ response, messages, comments, ended, until },
    ids: () => messages.map(({ id }) => Number(id)),
    close: () => response.destroy(),
  };
}

let counter = 0;

/** A message event of a session, with a numbered text. */
export const message = (
  sessionId = "session-1",
  changes: { alias?: string; text?: string; json?: unknown } = {},
): NewEvent => ({
  type: "messaging.message.received",
  source: `/messaging/sessions/${sessionId}`,
  data: {
    sessionId,
    alias: changes.alias ?? null,
    messageId: `message-${++counter}`,
    cursor: String(counter),
    agentId: "peer",
    text: changes.text ?? `text ${counter}`,
    ...(changes.json !== undefined && { json: changes.json }),
    verified: true,
    expiresAt: null,
  },
});

export const recovered = (service: "messaging" | "nex" | "nexus" = "nexus"): NewEvent => ({
  type: "service.recovered",
  source: "/nexusd",
  data: { service, state: "ok" },
});

export const jobNotRunnable = () => new JobError("job_not_runnable", "is paused; resume it first");

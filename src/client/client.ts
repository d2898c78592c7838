// The client of a running daemon: its whole API, typed, over its two Unix sockets.

import type { Readable } from "node:stream";
import type { AuditPage, AuditRowView, AuditVerdictView } from "../contract/api/audit.ts";
import type { ImportedSession, ImportResult } from "../contract/api/import.ts";
import type { JobStatus, JobsView } from "../contract/api/jobs.ts";
import type { NodesView } from "../contract/api/nodes.ts";
import type { OperationView, ReadAnswer } from "../contract/api/operations.ts";
import type { ReloadResult } from "../contract/api/reload.ts";
import type { SinkStatus, SinksView, SinkTest } from "../contract/api/sinks.ts";
import type { HealthView, StatusView } from "../contract/api/status.ts";
import type {
  InsightsView,
  LowStockView,
  MessagesView,
  PendingOrdersView,
  SessionsView,
} from "../contract/api/views.ts";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { type Consumers, createConsumers, type EventPage } from "./consumers.ts";
import type { EventFilter, EventsOptions, LogEvent, LogNotice, NoOwnEvents, OwnEvents } from "./events.ts";
import type { Time } from "./patience.ts";
import { at, type CallControl, createRequester, waitFor } from "./request.ts";
import { createTransport, type Role, type Sockets, type Transport } from "./transport.ts";
import { createWrites, type Writes } from "./writes.ts";

export interface ClientOptions {
  /** Default: `$NEXUSD_AGENT_SOCKET`, `/run/nexusd/agent.sock`, `data/agent.sock`. */
  agentSocket?: string;
  /** Only for operators' calls. Default: `$NEXUSD_OPERATOR_SOCKET`, else as above. */
  operatorSocket?: string;
  /**
   * How long calls that may be sent twice are retried if the daemon is unavailable or busy, in milliseconds; default 0.
   * `events`, `propose`, `waitUntilFinal` and `consumers.process` have their own `patienceMs`.
   */
  patienceMs?: number;
}

export interface Client<Own extends OwnEvents = NoOwnEvents> {
  health(options?: CallControl): Promise<HealthView>;
  status(options?: CallControl): Promise<StatusView>;

  /**
   * The events after a position and all that follow, each once, in order: across restarts of the daemon, lost
   * connections and slow readers. What could not be read is reported by a notice, `nexusd.log.gap` or
   * `nexusd.log.replaced`. Ends when the signal aborts.
   * @throws NexusdError `cursor_ahead` if the log ends before `after`; `no_daemon` at the start; other refusals
   */
  events(options?: EventsOptions): AsyncGenerator<LogEvent<Own> | LogNotice, void, undefined>;
  /** One page: the oldest events after a position; with `waitMs` (up to 60,000) as soon as there is one. */
  readEvents(
    options?: EventFilter & CallControl & { limit?: number; waitMs?: number },
  ): Promise<EventPage<Own>>;
  consumers: Consumers<Own>;

  operations(
    options?: CallControl & { service?: string | undefined; effect?: "read" | "write" | undefined },
  ): Promise<OperationView[]>;
  /** Asks a service. @throws NexusdError `operation_not_found`, `service_busy`, … */
  read(operation: string, input?: unknown, options?: CallControl): Promise<ReadAnswer>;
  /** Same as `writes.propose`. */
  propose: Writes["propose"];
  /** Same as `writes.waitUntilFinal`. */
  waitUntilFinal: Writes["waitUntilFinal"];
  writes: Writes;

  sessions(options?: CallControl): Promise<SessionsView>;
  /** @param session an id, an alias, or the first 6 or more characters of an id */
  messages(
    session: string,
    options?: CallControl & { after?: number; limit?: number; epoch?: string },
  ): Promise<MessagesView>;
  insights(
    options?: CallControl & {
      type?: string | undefined;
      target?: string | undefined;
      text?: string | undefined;
      /** 0 to 1. */
      minConfidence?: number | string | undefined;
      /** RFC 3339, like `until`. */
      since?: string | undefined;
      until?: string | undefined;
      limit?: number | undefined;
    },
  ): Promise<InsightsView>;
  lowStock(options?: CallControl): Promise<LowStockView>;
  pendingOrders(options?: CallControl): Promise<PendingOrdersView>;

  /** All but `list` only on the operators' socket. */
  jobs: {
    list(options?: CallControl): Promise<JobsView>;
    /** Resolves when the run has ended, or after 10 s: then the job's `running` is true. */
    run(name: string, options?: CallControl): Promise<JobStatus>;
    pause(name: string, options?: CallControl): Promise<JobStatus>;
    resume(name: string, options?: CallControl): Promise<JobStatus>;
  };
  /** All but `list` only on the operators' socket. */
  sinks: {
    list(options?: CallControl): Promise<SinksView>;
    /** Resolves when the target has accepted or refused it, or after 10 s: then the sink's `running` is true. */
    wake(name: string, options?: CallControl): Promise<SinkStatus>;
    pause(name: string, options?: CallControl): Promise<SinkStatus>;
    resume(name: string, options?: CallControl): Promise<SinkStatus>;
    /** Sends one wake marked as a test, which is not counted. */
    test(name: string, options?: CallControl): Promise<SinkTest>;
  };
  /** All but `list` only on the operators' socket. */
  nodes: {
    list(options?: CallControl): Promise<NodesView>;
    /** Lets the node of this socket give away what it does, and take on nothing. */
    drain(options?: CallControl): Promise<NodesView>;
    /** Ends its drain. */
    resume(options?: CallControl): Promise<NodesView>;
  };
  /** Only on the operators' socket. */
  audit: {
    rows(options?: CallControl & { after?: number; limit?: number; writeId?: string }): Promise<AuditPage>;
    /** @param head the hash of a row as noted elsewhere */
    verify(head?: string, options?: CallControl): Promise<AuditVerdictView>;
    signOff(
      row: { sequence: number; hash: string; note?: string | undefined },
      options?: CallControl,
    ): Promise<AuditRowView>;
  };
  /** Imports sessions that another client joined, up to 1000 at once; only on the operators' socket. */
  importSessions(
    sessions: readonly ImportedSession[],
    options?: CallControl,
  ): Promise<{ sessions: ImportResult[] }>;
  /**
   * A consistent copy of the database, a SQLite file, with every secret in it; only on the operators' socket.
   * @returns its bytes; `timeoutMs` limits the time without data, by default 10 minutes: it is copied before they come
   */
  backup(options?: CallControl): Promise<Readable>;
  /** Reads the configuration file again; only on the operators' socket. */
  reload(options?: CallControl): Promise<ReloadResult>;

  /** Closes idle connections that are kept open for the next call. */
  close(): void;
}

// As in transport.ts.
const { existsSync } = process.getBuiltinModule("node:fs");
const RUN_TIMEOUT_MS = 5 * 60_000;
const IMPORT_TIMEOUT_MS = 60_000;
const BACKUP_SILENCE_MS = 10 * 60_000;
const VERIFY_TIMEOUT_MS = 10 * 60_000;
// Longer than the slowest service's timeout, which is two minutes.
const READ_TIMEOUT_MS = 150_000;

/**
 * A client of the daemon at these sockets. It connects on the first call.
 * Declare your own event types with `createClient<EventsOf<typeof events>>()`.
 */
export function createClient<Own extends OwnEvents = NoOwnEvents>(options: ClientOptions = {}): Client<Own> {
  const given = { agent: options.agentSocket, operator: options.operatorSocket };
  const sockets: Sockets = { path: (role) => given[role] ?? usualSocket(role) };
  const time = { clock: systemClock, random: Math.random };
  return clientOver(createTransport(sockets, { keepAlive: true }), time, options.patienceMs);
}

const VARIABLE = { agent: "NEXUSD_AGENT_SOCKET", operator: "NEXUSD_OPERATOR_SOCKET" } as const;

function usualSocket(role: Role): string {
  const places = [`/run/nexusd/${role}.sock`, `data/${role}.sock`];
  return process.env[VARIABLE[role]] || (places.find((place) => existsSync(place)) ?? places[0] ?? "");
}

/** The client over an existing transport. */
export function clientOver<Own extends OwnEvents>(
  transport: Transport,
  time: Time & { clock: Clock },
  patienceMs = 0,
): Client<Own> {
  const requester = createRequester(transport, { ...time, forMs: patienceMs });
  const { ask } = requester;
  const writes = createWrites(requester, time);
  const job = (verb: string) => (name: string, options?: CallControl) =>
    ask<JobStatus>("POST", at("/v1/jobs", name, `/${verb}`), {
      ...{ role: "operator", timeoutMs: RUN_TIMEOUT_MS },
      ...options,
    });

  const sink =
    <T extends object>(verb: string) =>
    (name: string, options?: CallControl) =>
      ask<T>("POST", at("/v1/sinks", name, `/${verb}`), { role: "operator", ...options });

  return {
    health: (options) => ask("GET", "/v1/health", options),
    status: (options) => ask("GET", "/v1/status", options),

    async *events(options = {}) {
      // Loaded only here: most programs that start for a single call do not follow the log.
      const { logEvents } = await import("./events.ts");
      yield* logEvents<Own>({ transport, role: undefined, ...time }, options);
    },
    readEvents: ({ after, limit, types, waitMs, epoch, ...control } = {}) => {
      const { wait, ...timeout } = waitFor(waitMs);
      const query = { after, limit, type: types, epoch, wait };
      return ask("GET", "/v1/events", { ...timeout, ...control, query });
    },
    consumers: createConsumers<Own>(requester, time),

    operations: ({ service, effect, ...control } = {}) =>
      ask("GET", "/v1/operations", { ...control, query: { service, effect } }),
    read: (operation, input = {}, options = {}) =>
      ask("POST", "/v1/reads", { timeoutMs: READ_TIMEOUT_MS, ...options, body: { operation, input } }),
    propose: writes.propose,
    waitUntilFinal: writes.waitUntilFinal,
    writes,

    sessions: (options) => ask("GET", "/v1/messaging/sessions", options),
    messages: (session, { after, limit, epoch, ...control } = {}) =>
      ask("GET", at("/v1/messaging/sessions", session, "/messages"), {
        ...control,
        query: { after, limit, epoch },
      }),
    insights: ({ signal, role, timeoutMs, ...query } = {}) =>
      ask("GET", "/v1/nex/insights", { signal, role, timeoutMs, query }),
    lowStock: (options) => ask("GET", "/v1/nexus/stock/low", options),
    pendingOrders: (options) => ask("GET", "/v1/nexus/orders/pending", options),

    jobs: {
      list: (options) => ask("GET", "/v1/jobs", options),
      run: job("run"),
      pause: job("pause"),
      resume: job("resume"),
    },
    sinks: {
      list: (options) => ask("GET", "/v1/sinks", options),
      wake: sink("wake"),
      pause: sink("pause"),
      resume: sink("resume"),
      test: sink("test"),
    },
    nodes: {
      list: (options) => ask("GET", "/v1/nodes", options),
      drain: (options) => ask("POST", "/v1/nodes/drain", { role: "operator", ...options }),
      resume: (options) => ask("POST", "/v1/nodes/resume", { role: "operator", ...options }),
    },
    audit: {
      rows: ({ after, limit, writeId, ...control } = {}) =>
        ask("GET", "/v1/audit", { role: "operator", ...control, query: { after, limit, writeId } }),
      verify: (head, options = {}) =>
        ask("GET", "/v1/audit/verify", {
          ...{ role: "operator", timeoutMs: VERIFY_TIMEOUT_MS },
          ...{ ...options, query: { head } },
        }),
      signOff: (row, options = {}) =>
        ask("POST", "/v1/audit/checkpoints", {
          ...{ role: "operator", timeoutMs: VERIFY_TIMEOUT_MS },
          ...{ ...options, body: row },
        }),
    },
    importSessions: (sessions, options) =>
      ask("POST", "/v1/messaging/import", {
        ...{ role: "operator", timeoutMs: IMPORT_TIMEOUT_MS },
        ...{ ...options, body: { sessions } },
      }),
    backup: ({ role = "operator", timeoutMs: silenceMs = BACKUP_SILENCE_MS, signal } = {}) =>
      transport.stream("/v1/backup", { role, silenceMs, signal, headers: {} }),
    reload: (options) => ask("POST", "/v1/reload", { role: "operator", ...options }),
    close: () => transport.close(),
  };
}

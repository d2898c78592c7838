// The port through which the rest of nexusd uses a service. Each service has a folder here with a module.ts, and a line
// in list.ts; nothing else knows which services there are.

import type { Logger } from "pino";
import type { z } from "zod";
import type { ServiceStatus } from "../contract/api/status.ts";
import type { Limits } from "../contract/limits.ts";
import type { MetricOf } from "../contract/metric.ts";
import type { Observation, Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import type { Redactor } from "../core/redaction.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import type { RequestBudget } from "../http/budget.ts";
import type { HttpClient, HttpRequest, HttpResponse, Retry } from "../http/client.ts";
import type { BudgetLimits } from "../http/shares.ts";
import type { HttpClientOptions } from "../http/transport.ts";
import type { OperationSource } from "./catalogue.ts";
import type { Histogram } from "./counts.ts";
import type { Job, JobContext } from "./job.ts";
import type {
  Effect,
  Facts,
  LocalView,
  Operation,
  OperationAnswer,
  OperationRequest,
  Sending,
  ShownRequest,
} from "./operation.ts";
import type { Route } from "./route.ts";

/** What is known of a service before its code is loaded. */
export interface ServiceModule {
  /**
   * The name of its table in the configuration, the first part of its operations and events, and its name in status and
   * metrics.
   */
  readonly name: string;
  /** The name that people know. */
  readonly title: string;
  /** The schema of its table, which has `enabled` and `base_url`. */
  readonly settings: z.ZodType<{ enabled: boolean; base_url: string }>;
  /** The keys of its table that refer to secrets; the first one identifies the account. */
  readonly secrets: readonly string[];
  /** The tables of its jobs, by their names. */
  readonly jobSettings: Readonly<Record<string, z.ZodType>>;
  /** The default policy for its writes. */
  readonly approval: "operator" | "auto";
  /** The prefix of operations that are known only after asking the service; null: it has none. */
  readonly runtimePrefix: string | null;
  /** Kinds of stored records whose keys are secrets. */
  readonly secretKinds: readonly string[];
  /** The path of the part of its table that is itself a secret, so that others must not read the file; null: none. */
  secretIn(settings: unknown): string | null;
  /** For a whole read, including retries and waits. */
  readonly readWithinMs: number;
  /** For a read that a write depends on. */
  readonly lookWithinMs: number;
  load(): Promise<ServiceCode>;
  /** Undefined if nothing can be asked without the daemon. */
  loadProbe(): Promise<(options: ProbeOptions) => Probe | undefined>;
}

export interface ServiceCode<Settings = unknown, Client = unknown> {
  /** The types of their inputs and facts are known only at run time: each gets what its own service made. */
  readonly operations: readonly Operation[];
  readonly jobs: readonly Job[];
  /**
   * The facts that a request was made from, as far as the request shows them, for recreating it without the daemon.
   * Left out: only the origin.
   */
  shownFacts?(request: ShownRequest): Facts;
  /** Removes data that is kept outside the log and has become too old. Called when the log is pruned. */
  forget?(context: Pick<JobContext, "config" | "services" | "store" | "steady" | "log">): Promise<void>;
  /** Called once, at the start of nexusd: the result keeps what survives a reload. */
  start(base: Base): RunningService<Settings, Client>;
}

/** What every service receives for the life of the daemon. */
export interface Base {
  version: string;
  store: Store;
  clock: Clock;
  /** How old things are, whatever the wall clock says. */
  steady: Pick<SteadyClock, "ageOf">;
  /** 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  retry: Retry;
  log: Logger;
  /** Receives every credential, and removes known ones from the service's answers. */
  redactor: Pick<Redactor, "add" | "addPassing" | "hide" | "isFree" | "scrub">;
  /** To call when the service is reachable again after an outage. */
  onBack: () => void;
}

/** What it receives with a configuration. */
export interface Connecting<Settings = unknown> {
  settings: Settings;
  limits: Limits;
  /** Aborts when another connection replaces it, or none: after that, only what is explicitly requested is sent. */
  signal: AbortSignal;
  /** @throws Error if the key is not in `secrets` of the module, or its service is disabled */
  secret(key: string): string;
  /** A client whose requests are counted, and which accepts no larger answers than the limits allow. */
  http(
    options: Pick<HttpClientOptions, "origin" | "timeoutMs"> &
      Partial<Pick<HttpClientOptions, "credential" | "budget" | "broughtBy" | "isRateLimit">>,
  ): HttpClient;
  /**
   * The budget of a server, by a name that begins with its origin; survives a reload and a restart.
   * @param egress the public address that the server counts by; left out: it counts by account
   */
  budget(server: string, limits: BudgetLimits, egress?: string): RequestBudget;
}

/** A service at run time. Everything is about the newest configuration that it was connected with. */
export interface RunningService<Settings = unknown, Client = unknown> {
  /** Reads what `connect` needs. Call it before each. @throws StoreError */
  recall(): Promise<void>;
  /** @returns what jobs get */
  connect(connecting: Connecting<Settings>): Client;
  /** Commits what the configuration has changed in stored data. */
  adopt(): Promise<void>;
  /** Commits what is only in memory, before shutdown. */
  leave(): Promise<void>;
  /** Registers every credential that is only in the store with the redactor. @throws StoreError */
  loadCredentials(): Promise<void>;
  /** What requests depend on besides their input. @throws OperationError */
  facts(): Promise<Facts>;
  /**
   * Sends one request of an operation to its server, with its credential.
   * @throws OperationError if nothing was sent
   * @throws HttpError
   */
  send(request: OperationRequest, sending: Sending): Promise<OperationAnswer>;
  /** What the API shows of it, and offers besides the operations. */
  readonly routes: readonly Route[];
  /** The operations that only the service knows. */
  readonly source?: OperationSource;
  /** What nexusd stores about the object that a write with this input would change. Left out, or undefined: nothing. */
  localView?(input: unknown): Promise<LocalView | undefined>;
  readonly changes: Changes;
  describe(): Description;
  /** For `systemctl status`, in a few words: "polling 12 sessions". */
  line(state: ServiceStatus["state"]): string;
  /** How late what comes from it is, by what comes, such as "messages": for the history of it. */
  readonly delays?: Readonly<Record<string, Pick<Histogram, "take">>>;
  /** `now` in milliseconds since 1970. */
  readonly metrics: readonly ServiceMetric[];
}

/** What status shows of a service besides its state. */
export interface Description extends Pick<ServiceStatus, "attention" | "note"> {
  [detail: string]: unknown;
}

/** Requests that prove that the service is reachable and the credential is valid. */
export interface Probe {
  credential?: Record<string, string>;
  /** @returns the last answer. @throws HttpError */
  ask(send: (request: HttpRequest) => Promise<HttpResponse>): Promise<HttpResponse>;
  /** What success means, in words. */
  success: string;
  /** What to do if the service refuses the credential. */
  refused: string;
}

export interface ProbeOptions {
  /** Undefined: it cannot be read here. */
  secret(key: string): string | undefined;
  /** Whether a daemon runs, which reports itself how its requests went. */
  isRunning: boolean;
}

export type ServiceMetric = MetricOf<number>;

/** How a write changes what nexusd stores of a service. */
export interface Changes {
  /**
   * Computes the changes of `effects` and passes them to `commit` as observations; when this resolves, memory has what
   * was committed. Memory does not change if it throws or says that nothing was committed.
   */
  apply<T extends { isCommitted: boolean }>(
    effects: readonly Effect[],
    now: () => number,
    commit: (observations: Observation[]) => Promise<T>,
  ): Promise<T>;
  /** Keeps the jobs from undoing a write in progress. @returns a function that ends this */
  hold(key: string): () => void;
}

/** The part of a service of which nexusd stores only what its jobs commit. */
export const KEEPS_NOTHING = {
  recall: async () => {},
  adopt: async () => {},
  leave: async () => {},
  loadCredentials: async () => {},
  changes: { apply: (_effects, _now, commit) => commit([]), hold: () => () => {} },
} satisfies Partial<RunningService>;

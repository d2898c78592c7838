// How the rest of nexusd meets a service. Each has a folder here with a module.ts, and a line in list.ts; nothing else
// knows which services there are.

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

/** What is known of a service before any of its code is loaded. */
export interface ServiceModule {
  /** Its table in the configuration, the first part of its operations and events, and its name in status and metrics. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** Its table. It has `enabled` and `base_url`. */
  readonly settings: z.ZodType<{ enabled: boolean; base_url: string }>;
  /** The keys of its table that refer to secrets; the first is the one that an account belongs to. */
  readonly secrets: readonly string[];
  /** The tables of its jobs, by their names. */
  readonly jobSettings: Readonly<Record<string, z.ZodType>>;
  /** Who decides about its writes where the configuration does not say. */
  readonly approval: "operator" | "auto";
  /** The beginning of the names of operations that are known only once the service was asked; null: it has none. */
  readonly runtimePrefix: string | null;
  /** Kinds of stored records whose keys are secrets. */
  readonly secretKinds: readonly string[];
  /** The path of what of its table is itself a secret, so that nobody else may read the file; null: nothing is. */
  secretIn(settings: unknown): string | null;
  /** For a read as a whole, repetitions and the wait for a place included. */
  readonly readWithinMs: number;
  /** For one that a write depends on. */
  readonly lookWithinMs: number;
  load(): Promise<ServiceCode>;
  /** Gives undefined where nothing can be asked without the help of the daemon. */
  loadProbe(): Promise<(options: ProbeOptions) => Probe | undefined>;
}

export interface ServiceCode<Settings = unknown, Client = unknown> {
  /** The types of their inputs and facts are known at run time only: each is passed what its own service made. */
  readonly operations: readonly Operation[];
  readonly jobs: readonly Job[];
  /**
   * The facts that a request was made of, as far as the request itself shows them: for whoever makes it again without
   * the daemon. Left out: there are none but the origin.
   */
  shownFacts?(request: ShownRequest): Facts;
  /** Removes what of it is kept apart from the log and has become too old. Called when the log itself is pruned. */
  forget?(context: Pick<JobContext, "config" | "services" | "store" | "steady" | "log">): Promise<void>;
  /** Once, at the start of nexusd: what outlives a reload is kept in what this gives. */
  start(base: Base): RunningService<Settings, Client>;
}

/** What every service is given for the life of the daemon. */
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
  /** Is told of every credential, and takes what it knows out of what the service answers. */
  redactor: Pick<Redactor, "add" | "addPassing" | "hide" | "isFree" | "scrub">;
  /** To be told that the service is there again after a time in which it could not be reached. */
  onBack: () => void;
}

/** What it is given with a configuration. */
export interface Connecting<Settings = unknown> {
  settings: Settings;
  limits: Limits;
  /** From then on nothing is sent but what somebody asks for: another connection has come in its place, or nobody. */
  signal: AbortSignal;
  /** @throws Error where the key is not in `secrets` of the module, or its service is disabled */
  secret(key: string): string;
  /** A client that is counted, and takes no larger answers than the limits allow. */
  http(
    options: Pick<HttpClientOptions, "origin" | "timeoutMs"> &
      Partial<Pick<HttpClientOptions, "credential" | "budget" | "broughtBy" | "isRateLimit">>,
  ): HttpClient;
  /** Of a server, by a name that begins with its origin; kept over a reload, and over a restart. */
  budget(server: string, limits: BudgetLimits): RequestBudget;
}

/** A service as it runs. All of it is about the newest configuration that it was connected with. */
export interface RunningService<Settings = unknown, Client = unknown> {
  /** Reads what `connect` needs. To be called before each. @throws StoreError */
  recall(): Promise<void>;
  /** @returns what jobs get */
  connect(connecting: Connecting<Settings>): Client;
  /** Commits what the configuration has changed of what is stored. */
  adopt(): Promise<void>;
  /** Commits what is only in memory, at the end. */
  leave(): Promise<void>;
  /** Has the redactor learn of every credential that is only in the store. @throws StoreError */
  loadCredentials(): Promise<void>;
  /** What requests depend on beside their input. @throws OperationError */
  facts(): Promise<Facts>;
  /**
   * One request of an operation to the server that it belongs to, with its credential.
   * @throws OperationError where nothing was sent
   * @throws HttpError
   */
  send(request: OperationRequest, sending: Sending): Promise<OperationAnswer>;
  /** What of it the API shows, and what it lets one do with that, beside the operations. */
  readonly routes: readonly Route[];
  /** The operations that only the service knows. */
  readonly source?: OperationSource;
  /** What is kept here of what a write with this input would change. Left out, or undefined: nothing. */
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

/** What status says of a service beside its state. */
export interface Description extends Pick<ServiceStatus, "attention" | "note"> {
  [detail: string]: unknown;
}

/** Requests that prove a service reachable and our credential good. */
export interface Probe {
  credential?: Record<string, string>;
  /** @returns the last answer. @throws HttpError */
  ask(send: (request: HttpRequest) => Promise<HttpResponse>): Promise<HttpResponse>;
  /** What is right when it succeeds. */
  success: string;
  /** What to do when the service refuses the credential. */
  refused: string;
}

export interface ProbeOptions {
  /** Undefined: it cannot be read here. */
  secret(key: string): string | undefined;
  /** Whether a daemon runs, which says itself how its requests went. */
  isRunning: boolean;
}

export type ServiceMetric = MetricOf<number>;

/** How what nexusd keeps of a service changes with a write. */
export interface Changes {
  /**
   * Makes the changes of `effects` and gives them to `commit` as observations; what it committed is in memory when
   * this resolves. Nothing is, where it throws or says that nothing was committed.
   */
  apply<T extends { isCommitted: boolean }>(
    effects: readonly Effect[],
    now: () => number,
    commit: (observations: Observation[]) => Promise<T>,
  ): Promise<T>;
  /** Keeps the jobs from undoing a write that is under way. @returns the end of it */
  hold(key: string): () => void;
}

/** The part of a service of which nexusd keeps nothing but what its jobs commit. */
export const KEEPS_NOTHING = {
  recall: async () => {},
  adopt: async () => {},
  leave: async () => {},
  loadCredentials: async () => {},
  changes: { apply: (_effects, _now, commit) => commit([]), hold: () => () => {} },
} satisfies Partial<RunningService>;

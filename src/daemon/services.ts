// The services at run time: each is connected with its part of the configuration, again at each reload.

import type { Dispatcher } from "undici";
import type { ResolvedSecrets } from "../config/secrets.ts";
import type { BudgetFigures } from "../control/metrics/metric.ts";
import type { Budgets } from "../http/budgets.ts";
import { createDispatcher } from "../http/dispatcher.ts";
import type { RequestOutcome } from "../http/outcome.ts";
import { createRetry } from "../http/retry.ts";
import { createRoom, type Room } from "../http/room.ts";
import { createHttpClient } from "../http/transport.ts";
import { type JobConfig, settingsOf } from "../services/config.ts";
import type { Counts } from "../services/counts.ts";
import { SERVICES, type ServiceName } from "../services/list.ts";
import type { Base, Connecting, RunningService } from "../services/module.ts";
import { OperationError, type ReadFacts } from "../services/operation.ts";
import type { Services } from "../services/services.ts";

export interface ServicesOptions extends Omit<Base, "retry" | "onBack"> {
  /** Called when a service is reachable again after an outage. */
  onBack?: (service: string) => void;
  /** Kept over a reload, since the servers' windows are not reset by it. */
  budgets: Budgets;
  /** Kept over a reload as well. */
  counts: Counts;
  /** From then on nexusd sends only what is explicitly requested. */
  signal?: AbortSignal;
}

export interface RunningServices {
  /** What jobs get: the newest of each. */
  clients: Services;
  retry: Base["retry"];
  /** @throws Error where there is none of this name */
  of(name: string): RunningService;
  all(): RunningService[];
  /** Call it before each `connect`. @throws StoreError */
  recall(): Promise<void>;
  /** All at once, without a pause in which a request could be sent with the settings of one and the key of another. */
  connect(from: { config: JobConfig; secrets: ResolvedSecrets }): void;
  /** Commits what the configuration has changed in stored data. */
  adopt(): Promise<void>;
  /** @throws OperationError `service_disabled`, and what the service throws */
  facts: ReadFacts;
}

export async function startServices(options: ServicesOptions): Promise<RunningServices> {
  const { clock, random, budgets, counts, redactor, version } = options;
  const retry = createRetry({ clock, random });
  const running = new Map<string, RunningService>();
  for (const service of SERVICES) {
    const base = { ...options, retry, onBack: () => options.onBack?.(service.name) };
    running.set(service.name, (await service.load()).start(base));
  }
  let config: JobConfig;
  let connection = new AbortController();

  const of = (name: string): RunningService => {
    const found = running.get(name);
    if (found) return found;
    throw new Error(`there is no service ${name}`);
  };

  /** What a service needs to be connected. */
  const connecting = (
    service: ServiceName,
    secrets: ResolvedSecrets,
    shared: { dispatcher: Dispatcher; room: Room },
    signal: AbortSignal,
  ): Connecting => {
    const requests = counts.requests[service];
    const { limits } = config;
    return {
      settings: config[service],
      limits,
      signal,
      secret(key) {
        const secret = secrets[service]?.[key];
        // Loading the configuration resolves what an enabled service needs.
        if (!secret) throw new Error(`${service}.${key} is not resolved`);
        return secret.reveal();
      },
      http: (own) =>
        createHttpClient({
          ...{ service, clock, ...own },
          dispatcher: shared.dispatcher,
          // A server with large, slow answers must not delay the others by more than one of its answers.
          room: { open: (most) => shared.room.open(most, own.origin) },
          userAgent: `nexusd/${version}`,
          maxBytes: limits.service_answer_bytes,
          scrub: redactor.scrub,
          hide: redactor.hide,
          isFree: redactor.isFree,
          count(outcome: RequestOutcome) {
            requests[outcome] += 1;
          },
        }),
      budget: (server, most, egress) => budgets.of(server, most, service, egress),
    };
  };

  // Filled by the first `connect`, which comes before anybody asks.
  const clients = {} as Services;
  return {
    clients,
    retry,
    of,
    all: () => [...running.values()],
    async recall() {
      await Promise.all([...running.values()].map((service) => service.recall()));
    },
    connect(from) {
      config = from.config;
      const shared = {
        dispatcher: createDispatcher({ connections: 32 }),
        room: createRoom(config.limits.service_answers_bytes),
      };
      connection.abort();
      connection = new AbortController();
      const signal = AbortSignal.any([connection.signal, ...(options.signal ? [options.signal] : [])]);
      for (const { name } of SERVICES)
        Object.assign(clients, { [name]: of(name).connect(connecting(name, from.secrets, shared, signal)) });
    },
    async adopt() {
      await Promise.all([...running.values()].map((service) => service.adopt()));
    },
    async facts(service) {
      if (!settingsOf(config, service).enabled)
        throw new OperationError("service_disabled", `${service} is disabled: set ${service}.enabled = true`);
      return await of(service).facts();
    },
  };
}

/** The budgets as they stand, each with its server: what follows a blank in their names tells one from another. */
export const budgetFigures = (budgets: Budgets): BudgetFigures[] =>
  budgets.list().map(({ origin, service, budget }) => ({
    service,
    server: origin.replace(/ .*$/, ""),
    limit: budget.limit,
    reserve: budget.reserve,
    used: budget.used(),
    waiting: budget.waiting,
    quietMs: budget.quietMs(),
    shares: budget.shares(),
  }));

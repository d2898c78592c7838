// Puts the write path together: catalogue, policy, facts, sender, proposals, executor, reads.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { ResolvedSecrets } from "../config/secrets.ts";
import type { Store } from "../contract/store.ts";
import type { OperationSummary, Reads, Writes } from "../contract/writes.ts";
import type { Clock } from "../core/clock.ts";
import type { Redactor } from "../core/redaction.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import { createCatalogue, declaredOperations, summaries } from "../services/catalogue.ts";
import { settingsOf } from "../services/config.ts";
import { serviceNamed } from "../services/list.ts";
import type { ServiceModule } from "../services/module.ts";
import { createSender } from "../services/sender.ts";
import { createVerifier } from "../signatures/verify.ts";
import { createAccounts } from "../writes/accounts.ts";
import { createExecutor, type Executor } from "../writes/executor.ts";
import { createHeldExecutor } from "../writes/held-executor.ts";
import { createTextScan } from "../writes/outgoing-text.ts";
import { createPolicy, type Policy } from "../writes/policy.ts";
import { createReads } from "../writes/reads.ts";
import { createWrites } from "../writes/writes.ts";
import type { RunningServices } from "./services.ts";

export interface WritePath {
  writes: Writes;
  reads: Reads;
  executor: Executor;
  operations(): Promise<OperationSummary[]>;
  /** What every proposal needs. Call it before anything is proposed. @throws StoreError */
  load(): Promise<void>;
  /** What is known of the tools of the services from before, and then the executor. @throws StoreError */
  start(): Promise<void>;
}

export function createWritePath(options: {
  /** Asked each time, since a reload changes it. */
  config: () => Config;
  services: RunningServices;
  secrets: () => ResolvedSecrets;
  store: Store;
  clock: Clock;
  steady: SteadyClock;
  random: () => number;
  log: Logger;
  /** Knows the credentials, which no text may carry out. */
  redactor: Pick<Redactor, "find">;
}): WritePath {
  const { config, services, store, clock, steady, random, log, redactor } = options;
  let current: { config: Config; policy: Policy } | undefined;
  const policy = () => {
    const now = config();
    if (current?.config !== now) current = { config: now, policy: createPolicy(now) };
    return current.policy;
  };
  const sender = createSender({ services: services.of, clock, retry: services.retry });
  const sources = services.all().flatMap(({ source }) => source ?? []);
  const { facts } = services;
  const scanText = createTextScan({
    credentialsIn: async (text) => redactor.find(text),
  });
  const catalogue = createCatalogue(declaredOperations, ...sources);
  const accounts = createAccounts(store, {
    origin: (service) => settingsOf(config(), service).base_url,
    secret(service) {
      const { secrets }: ServiceModule = serviceNamed(service);
      return options.secrets()[service]?.[secrets[0] ?? ""]?.reveal();
    },
  });
  const common = { store, catalogue, policy, sender, facts, accounts, clock, steady, random };
  const executor = createHeldExecutor({ store, clock, log }, (mayBegin) =>
    createExecutor({
      ...{ ...common, log, changesOf: (service) => services.of(service).changes },
      ...(mayBegin && { mayBegin }),
    }),
  );
  const ttlMs = () => config().approvals.ttl;
  const limits = () => config().limits;
  const writes = createWrites({
    ...common,
    ...{ scanText, ttlMs, limits },
    localView: async (service, input) => services.of(service).localView?.(input),
    verifier: createVerifier(() => config().approvals.signers),
    withApproval(write) {
      const kept = sources.map((source) => source.withApproval(write));
      return {
        observations: kept.flatMap(({ observations }) => observations ?? []),
        committed: () => {
          for (const { committed } of kept) committed?.();
        },
      };
    },
    onApproved: () => executor.wake(),
  });
  return {
    writes,
    reads: createReads({ catalogue, sender, facts, clock, limits }),
    executor,
    async operations() {
      await catalogue.refresh();
      return summaries(policy().approvalOf, catalogue);
    },
    async load() {
      await accounts.load();
      // A key that is only on disk is none that the redactor knows.
      for (const service of services.all()) await service.loadCredentials();
    },
    async start() {
      await Promise.all(sources.map((source) => source.load()));
      await executor.start();
    },
  };
}

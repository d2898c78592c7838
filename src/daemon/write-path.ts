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
import { sessionKeyName } from "../services/messaging/changes.ts";
import { knownServers } from "../services/messaging/servers.ts";
import { createMcpTools } from "../services/nexus/mcp/source.ts";
import { OperationError, type OperationSender } from "../services/operation.ts";
import { createSender } from "../services/sender.ts";
import { createAccounts } from "../writes/accounts.ts";
import { createExecutor, type Executor } from "../writes/executor.ts";
import { createFacts } from "../writes/facts.ts";
import { createTextScan } from "../writes/outgoing-text.ts";
import { createPolicy, type Policy } from "../writes/policy.ts";
import { createReads } from "../writes/reads.ts";
import { createWrites } from "../writes/writes.ts";
import type { Built } from "./services.ts";

export interface WritePath {
  writes: Writes;
  reads: Reads;
  executor: Executor;
  operations(): Promise<OperationSummary[]>;
  /** What every proposal needs. To be called before anything is proposed. @throws StoreError */
  load(): Promise<void>;
  /** What is known of the tools of the services from before, and then the executor. @throws StoreError */
  start(): Promise<void>;
}

export function createWritePath(options: {
  /** Asked each time, since a reload changes both. */
  config: () => Config;
  built: () => Built;
  secrets: () => ResolvedSecrets;
  store: Store;
  clock: Clock;
  steady: SteadyClock;
  random: () => number;
  log: Logger;
  /** Knows the credentials, which no text may carry out. */
  redactor: Pick<Redactor, "find">;
}): WritePath {
  const { config, built, store, clock, steady, random, log, redactor } = options;
  let current: { config: Config; policy: Policy } | undefined;
  const policy = () => {
    const now = config();
    if (current?.config !== now) current = { config: now, policy: createPolicy(now) };
    return current.policy;
  };
  const sent = createSender({
    clients: () => built().services,
    messagingServers: () => knownServers(config().messaging, built().services.messaging.sessions.all()),
    clock,
    sessionKey: (sessionId) => store.readSecret(sessionKeyName(sessionId)),
    retry: (attempt, within) => built().retry(attempt, within),
  });
  /** A key that is only on disk is none that the redactor knows: it learns of each as the store reads it. */
  const readSessionKeys = async () => {
    for (const { sessionId } of built().services.messaging.sessions.all())
      await store.readSecret(sessionKeyName(sessionId));
  };
  const sender: OperationSender = {
    ...sent,
    async writeOnce(request, signal, sentFor) {
      const answer = await sent.writeOnce(request, signal, sentFor);
      const { credential, method } = request;
      if (credential.kind === "session" && method === "POST")
        built().services.messaging.sessions.sent(credential.sessionId);
      return answer;
    },
  };
  const facts = createFacts({
    config,
    sessions: () => built().services.messaging.sessions,
    organizationId: () => built().organizationId(),
    clock,
  });
  const scanText = createTextScan({
    credentialsIn: async (text) => redactor.find(text),
  });
  const tools = createMcpTools({
    settings: () => {
      const { nexus } = config();
      return { isEnabled: nexus.enabled && nexus.mcp, origin: nexus.base_url, reads: nexus.mcp_reads };
    },
    connection: () => {
      const { nexusMcp } = built().services;
      if (nexusMcp) return nexusMcp;
      throw new OperationError("service_disabled", "The tools of Nexus are off: set nexus.mcp = true");
    },
    onListed: (count, leftOut) => {
      log.info({ tools: count, leftOut }, "the tools of Nexus were listed");
    },
    ...{ store, clock },
  });
  const catalogue = createCatalogue(declaredOperations, tools);
  const accounts = createAccounts(store, {
    origin: (service) => config()[service].base_url,
    secret: (service) => options.secrets()[service]?.api_key?.reveal(),
  });
  const common = { store, catalogue, policy, sender, facts, accounts, clock, steady, random };
  const { changes } = built().services.messaging;
  const executor = createExecutor({ ...common, changes, log });
  const ttlMs = () => config().approvals.ttl;
  const limits = () => config().limits;
  const writes = createWrites({
    ...common,
    ...{ scanText, ttlMs, limits },
    withApproval: tools.withApproval,
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
      await readSessionKeys();
    },
    async start() {
      await tools.load();
      await executor.start();
    },
  };
}

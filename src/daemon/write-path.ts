// Puts the write path together: catalogue, policy, facts, sender, proposals, executor, reads.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../scheduler/clock.ts";
import { catalogue, summaries } from "../services/catalogue.ts";
import { sessionKeyName } from "../services/messaging/membership.ts";
import type { OperationSender } from "../services/operation.ts";
import { createSender } from "../services/sender.ts";
import type { Store } from "../store/store.ts";
import { createExecutor, type Executor } from "../writes/executor.ts";
import { createFacts } from "../writes/facts.ts";
import { createTextScan } from "../writes/outgoing-text.ts";
import { createPolicy, type Policy } from "../writes/policy.ts";
import { createReads } from "../writes/reads.ts";
import type { OperationSummary, Reads, Writes } from "../writes/types.ts";
import { createWrites } from "../writes/writes.ts";
import type { Redactor } from "./redact.ts";
import type { Built } from "./services.ts";

export interface WritePath {
  writes: Writes;
  reads: Reads;
  executor: Executor;
  operations(): OperationSummary[];
}

export function createWritePath(options: {
  /** Asked each time, since a reload changes both. */
  config: () => Config;
  built: () => Built;
  store: Store;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** Knows the credentials, which no text may carry out. */
  redactor: Pick<Redactor, "find">;
}): WritePath {
  const { config, built, store, clock, random, log, redactor } = options;
  let current: { config: Config; policy: Policy } | undefined;
  const policy = () => {
    const now = config();
    if (current?.config !== now) current = { config: now, policy: createPolicy(now) };
    return current.policy;
  };
  const sent = createSender({
    clients: () => built().services,
    messagingOrigin: () => config().messaging.base_url,
    sessionKey: (sessionId) => store.readSecret(sessionKeyName(sessionId)),
    retry: (attempt, within) => built().retry(attempt, within),
  });
  let sessionKeys: Promise<unknown> | undefined;
  /** A key that is only on disk is none that the redactor knows: it learns of each as the store reads it. */
  const readSessionKeys = () => {
    const sessions = built().services.messaging.sessions;
    sessionKeys ??= Promise.all(
      sessions.all().map(({ sessionId }) => store.readSecret(sessionKeyName(sessionId))),
    ).catch((error) => {
      sessionKeys = undefined;
      throw error;
    });
    return sessionKeys;
  };
  const sender: OperationSender = {
    ...sent,
    async writeOnce(request, signal) {
      const answer = await sent.writeOnce(request, signal);
      const { credential } = request;
      if (credential.kind === "session") built().services.messaging.sessions.sent(credential.sessionId);
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
    async credentialsIn(text) {
      await readSessionKeys();
      return redactor.find(text);
    },
  });
  const common = { store, catalogue, policy, sender, facts, clock, random };
  const executor = createExecutor({ ...common, log });
  const ttlMs = () => config().approvals.ttl;
  return {
    writes: createWrites({ ...common, scanText, ttlMs, onApproved: () => executor.wake() }),
    reads: createReads({ catalogue, sender, facts, clock }),
    executor,
    operations: () => summaries(policy().approvalOf),
  };
}

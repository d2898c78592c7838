// The real write path on a real store, with the real operations; only the services behind it are scripted here.

import { configSchema } from "../../src/config/schema.ts";
import type { Store } from "../../src/contract/store.ts";
import type { Clock } from "../../src/core/clock.ts";
import { createSteadyClock } from "../../src/core/steady-clock.ts";
import { catalogue, summaries } from "../../src/services/catalogue.ts";
import { messagingFacts } from "../../src/services/messaging/facts.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";
import type { OperationAnswer, OperationRequest } from "../../src/services/operation.ts";
import { createVerifier } from "../../src/signatures/verify.ts";
import type { PolicyRule } from "../../src/writes/config.ts";
import { createTextScan } from "../../src/writes/outgoing-text.ts";
import { createPolicy } from "../../src/writes/policy.ts";
import { createReads } from "../../src/writes/reads.ts";
import { createWrites } from "../../src/writes/writes.ts";
import { oneAccount } from "./accounts.ts";

export const ORDER_ID = "00000000-0000-4000-8000-000000000001";
export const SESSION_ID = "session-0001";
export const SESSION_ALIAS = "ops";

/** `requests`: the requests to the services. Nothing here executes an approved write. */
export function realWritePath(options: {
  store: Store;
  clock: Clock;
  policy?: Record<string, PolicyRule>;
  signers?: string;
  /** How many writes may be open; default: as without [limits]. */
  openProposals?: number;
}) {
  const { store, clock } = options;
  const key = { source: "env", id: "KEY" };
  const config = configSchema.parse({
    nex: { api_key: key },
    nexus: { api_key: key, anon_key: { source: "env", id: "ANON" } },
    ...(options.openProposals !== undefined && { limits: { open_proposals: options.openProposals } }),
    ...(options.policy && {
      approvals: {
        policy: options.policy,
        ...(options.signers !== undefined && { signers: options.signers }),
      },
    }),
  });
  const session = newSession({
    sessionId: SESSION_ID,
    alias: SESSION_ALIAS,
    baseUrl: config.messaging.base_url,
    agentId: "nexusd",
  });
  const joined = { ...session, state: "joined" as const };

  const requests: OperationRequest[] = [];
  const sender = {
    async read(_service: string, request: OperationRequest): Promise<OperationAnswer> {
      requests.push(request);
      return { status: 200, headers: {}, body: answerOf(request) };
    },
  };
  const facts = async (service: string) =>
    service === "messaging"
      ? messagingFacts(config.messaging, [joined])
      : { origin: config[service === "nex" ? "nex" : "nexus"].base_url, organizationId: () => "org-1" };
  const policy = createPolicy(config);
  const limits = () => config.limits;
  const writes = createWrites({
    accounts: oneAccount,
    verifier: createVerifier(() => config.approvals.signers),
    ...{ store, catalogue, sender, facts, clock },
    steady: createSteadyClock(clock),
    scanText: createTextScan({ credentialsIn: async () => [] }),
    policy: () => policy,
    random: Math.random,
    ttlMs: () => config.approvals.ttl,
    limits,
    onApproved: () => {},
  });
  const reads = createReads({ catalogue, sender, facts, clock, limits });
  return { requests, writes, reads, operations: () => summaries(policy.approvalOf) };
}

/** What each service would report, as far as an operation reads it. */
function answerOf({ path }: OperationRequest): unknown {
  const [resource = ""] = path.split("?", 1);
  if (resource.startsWith("/rest/")) return [{ id: ORDER_ID, order_number: "N-1", order_status: "pending" }];
  if (resource === "/health") return { capabilities: { messageFormat: ["text", "json"] } };
  if (resource.endsWith("/messages")) return { messages: [], nextCursor: null, members: [] };
  if (resource.startsWith("/v1/sessions")) return { sessionId: SESSION_ID };
  return { data: [], insights: [], answer: "yes" };
}

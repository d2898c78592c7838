// Operations as the write path runs them: parsed, completed, checked, sent by the real sender.

import { systemClock } from "../../../src/core/clock.ts";
import { createSteadyClock } from "../../../src/core/steady-clock.ts";
import { createBudget, type RequestBudget } from "../../../src/http/budget.ts";
import { createRetry } from "../../../src/http/retry.ts";
import { createHttpClient } from "../../../src/http/transport.ts";
import { catalogue } from "../../../src/services/catalogue.ts";
import { createHistogram } from "../../../src/services/counts.ts";
import { createMessagingClient, POLL_GAP_BOUNDS } from "../../../src/services/messaging/client.ts";
import type { MessagingFacts } from "../../../src/services/messaging/facts.ts";
import { newSession, type Session } from "../../../src/services/messaging/membership/session.ts";
import { createSessionSet } from "../../../src/services/messaging/membership/sessions.ts";
import { sendToServer } from "../../../src/services/messaging/send.ts";
import { findServer } from "../../../src/services/messaging/servers.ts";
import type { RunningService } from "../../../src/services/module.ts";
import { createNexClient, INSIGHT_DELAY_BOUNDS } from "../../../src/services/nex/client.ts";
import { API_KEY } from "../../../src/services/nex/operation.ts";
import { createTokenSource, type TokenSource } from "../../../src/services/nexus/auth.ts";
import { createNexusClient } from "../../../src/services/nexus/client.ts";
import type { NexusFacts } from "../../../src/services/nexus/facts.ts";
import { withToken } from "../../../src/services/nexus/http.ts";
import { createMcpConnection, type McpConnection } from "../../../src/services/nexus/mcp/connection.ts";
import { sendToNexus } from "../../../src/services/nexus/send.ts";
import {
  type Facts,
  type Finding,
  type Operation,
  type OperationAnswer,
  OperationError,
  type OperationRequest,
  type SentFor,
} from "../../../src/services/operation.ts";
import { assertOrigin, sendBy } from "../../../src/services/send.ts";
import { createSender } from "../../../src/services/sender.ts";
import type { Services } from "../../../src/services/services.ts";

/** A port where nothing listens: for tests that leave a service out. */
const NOWHERE = "http://127.0.0.1:9";

export interface Setup {
  messaging?: string;
  /** More messaging servers in the configuration. */
  servers?: string[];
  nex?: string;
  nexus?: string;
  nexApiKey?: string;
  nexBudget?: RequestBudget;
  nexusApiKey?: string;
  nexusAnonKey?: string;
  tokens?: TokenSource;
  /** Of every client; default 5 s. */
  timeoutMs?: number;
  /** The clock by which the sender judges whether an answer is recent enough. */
  monotonic?: () => number;
  sessionKey?: (sessionId: string) => Promise<string | undefined>;
}

export interface Bench {
  services: Services;
  /** Each request goes to the service of its credential. */
  sender: {
    read(request: OperationRequest, signal: AbortSignal, sentFor?: SentFor): Promise<OperationAnswer>;
    writeOnce(request: OperationRequest, signal: AbortSignal, sentFor?: SentFor): Promise<OperationAnswer>;
  };
  factsOf(service: string): MessagingFacts & NexusFacts;
  /** The connection with the MCP server of Nexus. */
  mcp: McpConnection;
  join(session: Partial<Session> & { sessionId: string }): void;
  /** The organization is known from now on. */
  learnOrganization(): Promise<string>;
  /** From the input to the output. */
  run(name: string, input: unknown): Promise<unknown>;
  request(name: string, input: unknown): OperationRequest;
  precondition(name: string, input: unknown): Promise<unknown>;
  readBack(name: string, input: unknown, startedAt: number, facts?: Facts): Promise<Finding | undefined>;
  read(request: OperationRequest): Promise<OperationAnswer>;
}

export function operationNamed(name: string): Operation {
  const operation = catalogue.get(name);
  if (!operation) throw new Error(`there is no operation ${name}`);
  return operation;
}

/** By its credential: a session's, or none, belongs to NexusMessaging. */
const serviceOf = ({ credential: { kind } }: OperationRequest) =>
  kind === "session" || kind === "none" ? "messaging" : kind;

export function createBench(setup: Setup): Bench {
  const origins = {
    messaging: setup.messaging ?? NOWHERE,
    nex: setup.nex ?? NOWHERE,
    nexus: setup.nexus ?? NOWHERE,
  };
  const common = {
    clock: systemClock,
    timeoutMs: setup.timeoutMs ?? 5000,
    maxBytes: 1_000_000,
    userAgent: "test",
  };
  const retry = createRetry({ clock: systemClock, random: () => 0 });
  const nexusHttp = createHttpClient({
    ...common,
    service: "nexus",
    origin: origins.nexus,
    credential: async () => ({ apikey: setup.nexusAnonKey ?? "anon" }),
  });
  const tokens =
    setup.tokens ??
    createTokenSource({
      http: nexusHttp,
      apiKey: () => setup.nexusApiKey ?? "",
      storage: { load: async () => undefined, save: async () => {} },
      clock: systemClock,
      steady: createSteadyClock(systemClock),
      random: () => 0,
      onToken: () => {},
    });
  const services: Services = {
    messaging: createMessagingClient(
      (origin) => createHttpClient({ ...common, service: "messaging", origin }),
      createSessionSet({ clock: systemClock, paceMs: 1000, maxStalenessMs: 60_000 }),
      createHistogram(POLL_GAP_BOUNDS),
      systemClock,
    ),
    nex: createNexClient({
      http: createHttpClient({
        ...common,
        service: "nex",
        origin: origins.nex,
        ...(setup.nexBudget && { budget: setup.nexBudget }),
        credential: async () => ({ authorization: `Bearer ${setup.nexApiKey ?? "key"}` }),
      }),
      clock: systemClock,
      random: () => 0,
      delays: createHistogram(INSIGHT_DELAY_BOUNDS),
      texts: createBudget({ limit: 1000, reserve: 0, clock: systemClock }),
      idleTimeoutMs: 5000,
      timeoutMs: 5000,
    }),
    nexus: createNexusClient({ http: withToken(nexusHttp, tokens), retry, clock: systemClock }),
  };
  const mcp = createMcpConnection({
    http: withToken(nexusHttp, tokens),
    clock: systemClock,
    version: "0.0.0",
  });
  const servers = () => [
    origins.messaging,
    ...(setup.servers ?? []),
    ...services.messaging.sessions.all().map(({ baseUrl }) => baseUrl),
  ];
  const sends: Record<string, RunningService["send"]> = {
    messaging: (request, sending) =>
      sendToServer(
        {
          client: services.messaging,
          servers: servers(),
          readKey: setup.sessionKey ?? (async () => undefined),
        },
        request,
        sending,
      ),
    nex: async (request, sending) => {
      assertOrigin(request, services.nex.http.origin, API_KEY.kind);
      return await sendBy(services.nex.http, request, sending);
    },
    nexus: (request, sending) => sendToNexus(services.nexus.http, () => mcp, request, sending),
  };
  const byService = createSender({
    services(name) {
      const send = sends[name];
      if (!send) throw new Error(`there is no service ${name}`);
      return { send };
    },
    clock: { monotonic: setup.monotonic ?? systemClock.monotonic },
    retry,
  });
  const sender: Bench["sender"] = {
    read: (request, signal, sentFor) => byService.read(serviceOf(request), request, signal, sentFor),
    writeOnce: (request, signal, sentFor) =>
      byService.writeOnce(serviceOf(request), request, signal, sentFor),
  };

  let organization: string | undefined;
  const { sessions } = services.messaging;
  const allFacts = {
    agentId: "nexusd",
    get sessions() {
      return sessions.all();
    },
    server: (name?: string) => (name === undefined ? origins.messaging : findServer(servers(), name)),
    session(idOrAlias: string) {
      const found = sessions
        .all()
        .find(({ sessionId, alias }) => sessionId === idOrAlias || alias === idOrAlias);
      if (found) return found;
      throw new OperationError("session_not_found", "There is no such session.");
    },
    organizationId() {
      if (organization !== undefined) return organization;
      throw new OperationError("service_unavailable", "The organization is not known yet.");
    },
  };
  const factsOf = (service: string): MessagingFacts & NexusFacts => {
    const origin = new Map(Object.entries(origins)).get(service);
    if (origin === undefined) throw new Error(`there is no service ${service}`);
    // What it shows is of now, which a copy would not be.
    return Object.create(allFacts, { origin: { value: origin } });
  };
  const prepare = (name: string, input: unknown) => {
    const operation = operationNamed(name);
    const facts = factsOf(operation.service);
    const parsed = operation.input.parse(input);
    return { operation, facts, input: operation.normalize?.(parsed, facts) ?? parsed };
  };
  const signal = AbortSignal.timeout(120_000);
  const read = (request: OperationRequest) => sender.read(request, signal);

  return {
    services,
    sender,
    factsOf,
    mcp,
    read,
    join: ({ sessionId, ...rest }) =>
      sessions.put({
        ...newSession({ sessionId, alias: null, baseUrl: origins.messaging, agentId: "nexusd" }),
        state: "joined",
        ...rest,
      }),
    async learnOrganization() {
      organization = await services.nexus.http.organizationId();
      return organization;
    },
    async run(name, input) {
      const { operation, facts, input: full } = prepare(name, input);
      const learnt = await operation.precondition?.(full, facts, read);
      const request = operation.request?.(full, facts, learnt);
      if (!request) throw new Error("nothing is sent for it");
      const answer = await (operation.effect === "read" ? read(request) : sender.writeOnce(request, signal));
      return operation.output(answer, full, learnt);
    },
    request(name, input) {
      const { operation, facts, input: full } = prepare(name, input);
      const request = operation.request?.(full, facts);
      if (!request) throw new Error("nothing is sent for it");
      return request;
    },
    async precondition(name, input) {
      const { operation, facts, input: full } = prepare(name, input);
      return await operation.precondition?.(full, facts, read);
    },
    async readBack(name, input, startedAt, as) {
      const { operation, facts, input: full } = prepare(name, input);
      return await operation.readBack?.(full, as ?? facts, read, startedAt);
    },
  };
}

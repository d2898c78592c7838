// The write path on a real store and a fake clock, with its own operations and a scripted service.

import { pino } from "pino";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { Actor } from "../../src/contract/actor.ts";
import type { Store } from "../../src/contract/store.ts";
import type { Proposal, Write, WriteState, Writes } from "../../src/contract/writes.ts";
import { HttpError, type HttpErrorKind } from "../../src/http/errors.ts";
import type { Catalogue } from "../../src/services/catalogue.ts";
import { fieldsOf } from "../../src/services/input.ts";
import type { MessagingFacts } from "../../src/services/messaging/facts.ts";
import { sessionCredential } from "../../src/services/messaging/facts.ts";
import { createSessionChanges, type SessionEffect } from "../../src/services/messaging/membership/changes.ts";
import type { SessionSet } from "../../src/services/messaging/membership/sessions.ts";
import { API_KEY } from "../../src/services/nex/operation.ts";
import type { NexusFacts } from "../../src/services/nexus/facts.ts";
import { AGENT_TOKEN } from "../../src/services/nexus/facts.ts";
import { isRolledBack } from "../../src/services/nexus/rolled-back.ts";
import {
  defineOperationsOf,
  type LocalView,
  NO_CREDENTIAL,
  type Operation,
  type OperationAnswer,
  OperationError,
  type OperationRequest,
  type OperationSender,
  type SentFor,
} from "../../src/services/operation.ts";
import { createVerifier } from "../../src/signatures/verify.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { createAccounts } from "../../src/writes/accounts.ts";
import type { PolicyRule } from "../../src/writes/config.ts";
import { createExecutor, type Executor } from "../../src/writes/executor.ts";
import { createTextScan } from "../../src/writes/outgoing-text.ts";
import { createPolicy, type Policy } from "../../src/writes/policy.ts";
import { createWrites } from "../../src/writes/writes.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { limitsOf } from "../support/limits.ts";
import { watchedClock } from "../support/steady-clock.ts";
import { temporaryDirectory } from "../support/store.ts";

export const AGENT: Actor = { via: "agent.sock", user: "agent" };
export const OPERATOR: Actor = { via: "operator.sock", user: "ops" };
/** One object for all services, so that a test can change any part of it. */
export interface WorldFacts extends MessagingFacts, NexusFacts {
  origins: { messaging: string; nex: string; nexus: string };
}
const defineOperation = defineOperationsOf<WorldFacts>();

const ORIGINS: WorldFacts["origins"] = {
  messaging: "https://messaging.example",
  nex: "https://nex.example",
  nexus: "https://nexus.example",
};

const order = z.strictObject({ orderId: z.string(), status: z.string() });
const item = z.strictObject({ sku: z.string(), note: z.string().optional(), count: z.bigint().optional() });
type Item = z.output<typeof item>;

const nexus = { service: "nexus", description: "", title: "A title", isRolledBack } as const;
const toOrders = (facts: WorldFacts, query = "") =>
  ({
    origin: facts.origins.nexus,
    path: `/rest/v1/orders${query}`,
    label: "orders",
    credential: AGENT_TOKEN,
  }) as const;
const body = (answer: OperationAnswer): unknown => answer.body;

/** Idempotent, with a precondition. */
const updateStatus = defineOperation<z.output<typeof order>>({
  ...nexus,
  name: "nexus.orders.update_status",
  effect: "write",
  idempotent: true,
  input: order,
  target: ({ orderId }) => `order ${orderId}`,
  request: ({ orderId, status }, facts) => ({
    ...toOrders(facts, `?id=eq.${encodeURIComponent(orderId)}`),
    method: "PATCH",
    json: { order_status: status },
  }),
  precondition: async ({ orderId }, facts, read) =>
    (await read({ ...toOrders(facts, `?id=eq.${orderId}&select=order_status`), method: "GET" })).body,
  output: body,
});

/** Idempotent, without a precondition. */
const tag = defineOperation<Item>({
  ...nexus,
  name: "nexus.items.tag",
  effect: "write",
  idempotent: true,
  input: item,
  target: ({ sku }) => sku,
  request: (input, facts) => ({ ...toOrders(facts), method: "PUT", json: input }),
  output: body,
});

/** Not idempotent, and without a way to find out its outcome. */
const create = defineOperation<Item>({
  ...nexus,
  name: "nexus.items.create",
  effect: "write",
  idempotent: false,
  input: item,
  target: ({ sku }) => sku,
  request: (input, facts) => ({ ...toOrders(facts), method: "POST", json: input }),
  output: (answer) => {
    if (answer.body === "nothing done") throw new OperationError("no_row_matched", "No row matched.");
    if (answer.body === "unreadable") throw new TypeError("not what was expected");
    return answer.body;
  },
  howToFindOut: "Look for the item by its sku.",
});

const isSentSince = (row: unknown, text: string, startedAt: number) => {
  const { text: its, at } = fieldsOf(row);
  return its === text && Number(at) >= startedAt;
};

/** Not idempotent, with a way to read back. */
const send = defineOperation<{ session: string; text: string }>({
  name: "messaging.messages.send",
  service: "messaging",
  effect: "write",
  idempotent: false,
  title: "Send",
  description: "",
  input: z.strictObject({ session: z.string(), text: z.string() }),
  normalize: (input, facts) => ({ ...input, session: facts.session(input.session).sessionId }),
  target: ({ session }) => session,
  request: ({ session, text }, facts) => ({
    origin: facts.origins.messaging,
    method: "POST",
    path: `/v1/sessions/${session}/messages`,
    label: "send",
    headers: { "X-Agent-Id": "nexusd" },
    json: { text },
    credential: sessionCredential(session),
  }),
  output: body,
  readBack: async ({ session, text }, facts, read, startedAt) => {
    const path = `/v1/sessions/${session}/messages`;
    const answer = await read({
      ...{ origin: facts.origins.messaging, method: "GET", path, label: "read back" },
      credential: NO_CREDENTIAL,
    });
    const rows: unknown[] = Array.isArray(answer.body) ? answer.body : [];
    const found = rows.some((row) => row === text || isSentSince(row, text, startedAt));
    return found ? { kind: "done", output: "read back" } : { kind: "not_found" };
  },
});

const remove = defineOperation<{ id: string }>({
  ...nexus,
  name: "nexus.items.delete",
  effect: "write",
  idempotent: true,
  destructive: true,
  input: z.strictObject({ id: z.string() }),
  request: ({ id }, facts) => ({ ...toOrders(facts, `?id=eq.${id}`), method: "DELETE" }),
  output: () => null,
});

const list = defineOperation<{ limit: number }>({
  ...nexus,
  name: "nexus.items.list",
  effect: "read",
  idempotent: true,
  input: z.strictObject({ limit: z.int().default(10) }),
  request: ({ limit }, facts) => ({ ...toOrders(facts, `?limit=${limit}`), method: "GET" }),
  output: body,
});

const ask = defineOperation<{ question: string }>({
  name: "nex.context.ask",
  service: "nex",
  effect: "read",
  idempotent: true,
  title: "Ask",
  description: "",
  input: z.strictObject({ question: z.string() }),
  request: ({ question }, facts) => ({
    ...{ origin: facts.origins.nex, method: "POST", path: "/api/developers/v1/context/ask", label: "ask" },
    json: { query: question },
    credential: API_KEY,
  }),
  output: body,
});

/** A catalogue of any operations, without the real one's rules for names. */
export const catalogueOf = (
  operations: readonly Operation[],
): Pick<Catalogue, "get" | "near" | "refresh"> => ({
  refresh: async () => {},
  get: (name) => operations.find((operation) => operation.name === name),
  near: (name) => operations.map((operation) => operation.name).filter((known) => known.startsWith(name)),
});

// The type of the input is known at run time only, as in the real catalogue.
export const OPERATIONS = [updateStatus, tag, create, send, remove, list, ask] as unknown as Operation[];

/** The service's behaviour for one request of a write. */
export type Behaviour = (
  request: OperationRequest,
  signal: AbortSignal,
) => OperationAnswer | Promise<OperationAnswer>;

export const answers =
  (content: unknown, status = 200): Behaviour =>
  () => ({ status, headers: {}, body: content });

export const fails =
  (kind: HttpErrorKind, details: Partial<ConstructorParameters<typeof HttpError>[0]> = {}): Behaviour =>
  () => {
    throw httpError(kind, details);
  };

export const httpError = (
  kind: HttpErrorKind,
  details: Partial<ConstructorParameters<typeof HttpError>[0]> = {},
): HttpError =>
  new HttpError({
    ...{ kind, service: "nexus", label: "orders", message: `nexus: orders ${kind}`, code: kind },
    ...{ retryable: true, maybeSent: true },
    ...details,
  });

/** Never answers; ends only when it is cut off. */
export const hangs: Behaviour = (_request, signal) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(httpError("aborted", { retryable: false })), {
      once: true,
    });
  });

export interface Service extends OperationSender {
  /** Every write that was sent, in order. */
  wire: OperationRequest[];
  /** The requester of each of them. */
  sentFor: SentFor[];
  /** Every read. */
  asked: OperationRequest[];
  /** The next writes, one each; afterwards `otherwise`. */
  script: Behaviour[];
  otherwise: Behaviour;
  onRead: Behaviour;
}

export function scriptedService(): Service {
  const service: Service = {
    wire: [],
    sentFor: [],
    asked: [],
    script: [],
    otherwise: answers({ ok: true }),
    onRead: answers([{ order_status: "pending" }]),
    async read(_service, request, signal) {
      service.asked.push(request);
      return service.onRead(request, signal);
    },
    async writeOnce(_service, request, signal, sentFor = {}) {
      service.wire.push(request);
      service.sentFor.push(sentFor);
      return (service.script.shift() ?? service.otherwise)(request, signal);
    },
  };
  return service;
}

export const factsOf = (sessions: Record<string, string> = { workshop: "0123456789abcdef" }): WorldFacts => ({
  origin: ORIGINS.nexus,
  origins: ORIGINS,
  session: (idOrAlias) => {
    const sessionId = sessions[idOrAlias] ?? Object.values(sessions).find((id) => id === idOrAlias);
    if (sessionId === undefined) throw new OperationError("session_not_found", "no such session");
    return { sessionId, alias: null, baseUrl: ORIGINS.messaging, agentId: "nexusd", state: "joined" };
  },
  agentId: "nexusd",
  sessions: [],
  server: () => ORIGINS.messaging,
  organizationId: () => "org-1",
});

export const policyOf = (policy: Record<string, PolicyRule>): Policy =>
  createPolicy({ approvals: { ttl: 0, policy } });

export interface Harness {
  store: Store;
  clock: FakeClock;
  service: Service;
  writes: Writes;
  executor: Executor;
  /** The policy and the facts from now on. */
  world: {
    policy: Policy;
    facts: WorldFacts;
    operations: Operation[];
    apiKey: string;
    signers: string | undefined;
    localView: LocalView | undefined;
  };
  lines: Record<string, unknown>[];
  propose(proposal?: Partial<Proposal>): Promise<Write>;
  /** Proposes and approves. */
  approved(proposal?: Partial<Proposal>): Promise<Write>;
  /** Waits until the write has a result. */
  finished(id: string): Promise<Write>;
  /** Waits until the write has reached the state. */
  reached(id: string, state: WriteState): Promise<Write>;
  /** As after a SIGKILL: everything in memory is gone. The executor must be started again. */
  crash(): Promise<void>;
  /** Ends it before the test does. */
  close(): Promise<void>;
}

const FINAL: readonly WriteState[] = [
  "succeeded",
  "failed",
  "unknown",
  "rejected",
  "expired",
  "cancelled",
  "resolved",
];

export interface HarnessOptions {
  wrap?: (store: Store) => Store;
  dataDir?: string;
  /** Where the writes' changes of sessions go; default: nowhere. */
  sessions?: Pick<SessionSet, "get" | "put">;
  /** Differences from a configuration without [limits]. */
  limits?: Parameters<typeof limitsOf>[0];
}

export async function createHarness(options: HarnessOptions = {}): Promise<Harness> {
  const dataDir = options.dataDir ?? temporaryDirectory();
  const clock = createFakeClock();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "debug" }, { write: (line) => lines.push(JSON.parse(line)) });
  const world: Harness["world"] = {
    policy: policyOf({ "nexus.*": "operator", "messaging.*": "auto" }),
    facts: factsOf(),
    operations: OPERATIONS,
    apiKey: "key-one",
    signers: undefined as string | undefined,
    localView: undefined as LocalView | undefined,
  };
  const catalogue: Pick<Catalogue, "get" | "near" | "refresh"> = {
    refresh: async () => {},
    get: (name) => catalogueOf(world.operations).get(name),
    near: (name) => catalogueOf(world.operations).near(name),
  };

  const service = scriptedService();
  const open = async () => {
    const life = { isOver: false };
    const opened = await openStore({ dataDir, clock });
    const store = mortal(options.wrap?.(opened) ?? opened, life);
    const accounts = createAccounts(store, {
      origin: (service) => new Map(Object.entries(world.facts.origins)).get(service) ?? "",
      secret: () => world.apiKey,
    });
    await accounts.load();
    const common = {
      ...{
        store,
        catalogue,
        random: () => 0.5,
        log,
        sender: mortal(service, life),
        clock: mortalClock(clock, life),
      },
      policy: () => world.policy,
      facts: async () => world.facts,
      accounts,
    };
    const steady = watchedClock(clock);
    const changes = createSessionChanges(() => options.sessions ?? { get: () => undefined, put: () => {} });
    const executor = createExecutor({
      ...common,
      steady,
      changesOf: () => ({
        hold: changes.hold,
        apply: (effects, now, commit) => changes.apply(effects as SessionEffect[], now, commit),
      }),
    });
    const writes = createWrites({
      ...common,
      verifier: createVerifier(() => world.signers),
      steady,
      random: Math.random,
      scanText: createTextScan({ credentialsIn: async () => [] }),
      ttlMs: () => 3_600_000,
      limits: () => limitsOf(options.limits),
      onApproved: executor.wake,
      localView: async () => world.localView,
    });
    return { opened, life, store, service, executor, writes };
  };
  let parts = await open();
  let isClosed = false;
  onTestFinished(async () => {
    if (isClosed) return;
    await stopped(parts.executor, clock);
    await parts.opened.close();
  });

  const example: Proposal = { operation: "nexus.items.create", input: { sku: "TEA-1" } };
  const harness: Harness = {
    ...parts,
    clock,
    world,
    lines,
    propose: async (proposal = {}) =>
      (await harness.writes.propose({ ...example, ...proposal }, AGENT)).write,
    async approved(proposal) {
      const { id, digest } = await harness.propose(proposal);
      return harness.writes.approve(id, digest, OPERATOR);
    },
    finished: (id) => waitUntil(id, FINAL),
    reached: (id, state) => waitUntil(id, [state]),
    async crash() {
      parts.life.isOver = true;
      await parts.opened.close();
      parts = await open();
      Object.assign(harness, parts);
    },
    async close() {
      isClosed = true;
      parts.life.isOver = true;
      await parts.opened.close();
    },
  };
  const waitUntil = async (id: string, states: readonly WriteState[]): Promise<Write> => {
    let write = await harness.writes.get(id);
    while (!states.includes(write.state)) {
      const { state } = write;
      write = await harness.writes.waitFor(id, state, 1_000_000, new AbortController().signal);
      if (write.state === state) throw new Error(`the write stays ${state}`);
    }
    return write;
  };
  return harness;
}

/** The same, until its life is over: then none of its calls, earlier or later, is ever answered. */
function mortal<T extends object>(target: T, life: { isOver: boolean }): T {
  const never = new Promise<never>(() => {});
  return new Proxy(target, {
    get(_, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (life.isOver) return never;
        const result: unknown = Reflect.apply(member, target, args);
        if (!(result instanceof Promise)) return result;
        return result.then(
          (value) => (life.isOver ? never : value),
          (error) => (life.isOver ? never : Promise.reject(error)),
        );
      };
    },
  });
}

function mortalClock(clock: FakeClock, life: { isOver: boolean }): FakeClock {
  const after: FakeClock["after"] = (ms, callback) =>
    life.isOver ? () => {} : clock.after(ms, () => life.isOver || callback());
  return { ...mortal(clock, life), after };
}

/** Stops an executor whose grace period ends at once. */
async function stopped(executor: Executor, clock: FakeClock, graceMs = 1000): Promise<void> {
  const stopping = executor.stop(graceMs);
  await clock.advance(graceMs + 1000);
  await stopping;
}

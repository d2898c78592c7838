// The control API as its contract says: every route on both sockets, its status, shape and headers, each checked
// against the OpenAPI document that the daemon serves.

import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import type { Role } from "../../src/control/context.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";
import { type Answer, message, recovered, startTestControl, type TestControl } from "../support/control.ts";
import { approval, NEXUSD, propose, proposedWrite, t } from "../support/stored-write.ts";
import { ORDER_ID, realWritePath } from "../support/write-path.ts";

interface Operation {
  operationId: string;
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

let control: TestControl;
let document: Document;

beforeAll(async () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  control = await startTestControl({
    writePath: (store, clock) => realWritePath({ store, clock }),
    cleanup: (work) => cleanups.unshift(work),
  });
  const { store } = control;
  // Far in the future, so that they are still undecided whenever this runs.
  const expiresAt = "9999-01-01T00:00:00.000Z";
  const unknown = await propose(store, { id: "w0", expiresAt });
  await store.transitionWrite(approval(unknown.id));
  const { id = "" } = (await store.claimNextWrite(NEXUSD, t(2))) ?? {};
  const result = { error: { code: "timeout", message: "no answer" }, remedy: "look at the order" };
  const doubt = { from: "executing", to: "unknown", patch: { result, finishedAt: t(3) } } as const;
  await store.transitionWrite({ id, ...doubt, actor: NEXUSD, at: t(3), detail: {} });
  for (const id of ["w1", "w2", "w3"])
    await propose(store, { id, expiresAt, precondition: "{}", reason: "why" });
  document = (await control.get("/openapi.json")).json;
  const session = newSession({
    sessionId: "session-1",
    alias: "ops",
    baseUrl: "https://messaging.md",
    agentId: "nexusd",
  });
  const order = {
    orderId: "o1",
    orderNumber: "N-1",
    orderStatus: "pending",
    totalAmount: 12.5,
    currency: "USD",
    customerId: null,
    createdAt: null,
    pendingSince: "2026-01-01T00:00:00.000Z",
    overdue: false,
  };
  const item = {
    itemId: "i1",
    sku: null,
    name: "Bolt",
    warehouseId: "w1",
    availableQuantity: 2,
    threshold: 10,
    lowSince: "2026-01-01T00:00:00.000Z",
  };
  await control.store.commitObservation({
    source: "nex.insights",
    cursor: {},
    put: [
      { kind: "messaging.session", key: "session-1", value: session },
      {
        kind: "messaging.session",
        key: "session-2",
        value: { ...session, sessionId: "session-2", alias: null },
      },
      { kind: "nexus.order.pending", key: "o1", value: order },
      { kind: "nexus.stock.low", key: "i1", value: item },
    ],
    events: [
      message("session-1"),
      recovered(),
      {
        type: "nex.insight.received",
        source: "/nex/insights",
        subject: "1",
        data: { insight: { id: 1 }, workspace: null, origin: "live" },
      },
    ],
  });
  return async () => {
    for (const cleanup of cleanups) await cleanup();
  };
});

/** The document's description of an answer, by method, path and answer. */
function describedAs(method: string, path: string, answer: Answer): z.ZodType | undefined {
  const type = answer.headers["content-type"]?.split(";", 1)[0];
  const content = document.paths[path]?.[method.toLowerCase()]?.responses[answer.status]?.content;
  const schema = type === undefined ? undefined : content?.[type]?.schema;
  if (!schema) return undefined;
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return z.fromJSONSchema(JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")));
}

const { digest: DIGEST } = proposedWrite({ id: "w1" });
const SHIP = {
  operation: "nexus.orders.update_status",
  input: { orderId: ORDER_ID, orderStatus: "shipped" },
  idempotencyKey: "k",
};

interface Call {
  route: string;
  path?: string;
  body?: unknown;
  role?: Role;
  status: number;
  code?: string;
  /** Of an answer that is not JSON. */
  type?: string;
}

const calls: Call[] = [
  { route: "GET /v1/health", status: 200 },
  { route: "GET /v1/health", path: "/v1/health?x=1", status: 400, code: "invalid_request" },
  { route: "GET /v1/status", status: 200 },
  { route: "GET /v1/events", path: "/v1/events?after=1&limit=5&type=service.*&wait=1s", status: 200 },
  { route: "GET /v1/events", path: "/v1/events?after=99", status: 409, code: "cursor_ahead" },
  { route: "GET /v1/events", path: "/v1/events?epoch=other", status: 409, code: "epoch_changed" },
  { route: "GET /v1/events", path: "/v1/events?limit=x", status: 400, code: "invalid_request" },
  { route: "GET /v1/events/stream", path: "/v1/events/stream?after=99", status: 409, code: "cursor_ahead" },
  { route: "PUT /v1/consumers/{name}", path: "/v1/consumers/a", body: { from: "oldest" }, status: 201 },
  {
    route: "PUT /v1/consumers/{name}",
    path: "/v1/consumers/a",
    body: { from: 1, types: ["*"] },
    status: 200,
  },
  {
    route: "PUT /v1/consumers/{name}",
    path: "/v1/consumers/a",
    body: { from: 99 },
    status: 409,
    code: "cursor_ahead",
  },
  {
    route: "PUT /v1/consumers/{name}",
    path: "/v1/consumers/a",
    body: {},
    status: 400,
    code: "invalid_request",
  },
  { route: "GET /v1/consumers", status: 200 },
  { route: "GET /v1/consumers/{name}", path: "/v1/consumers/a", status: 200 },
  { route: "GET /v1/consumers/{name}", path: "/v1/consumers/b", status: 404, code: "consumer_not_found" },
  { route: "GET /v1/consumers/{name}/events", path: "/v1/consumers/a/events", status: 200 },
  {
    route: "GET /v1/consumers/{name}/events",
    path: "/v1/consumers/b/events",
    status: 404,
    code: "consumer_not_found",
  },
  { route: "POST /v1/consumers/{name}/ack", path: "/v1/consumers/a/ack", body: { sequence: 2 }, status: 200 },
  {
    route: "POST /v1/consumers/{name}/ack",
    path: "/v1/consumers/a/ack",
    body: { sequence: 999 },
    status: 409,
    code: "cursor_ahead",
  },
  { route: "DELETE /v1/consumers/{name}", path: "/v1/consumers/a", status: 204 },
  { route: "DELETE /v1/consumers/{name}", path: "/v1/consumers/a", status: 404, code: "consumer_not_found" },
  { route: "GET /v1/jobs", status: 200 },
  { route: "POST /v1/jobs/{name}/run", path: "/v1/jobs/nexus-low-stock/run", role: "operator", status: 200 },
  {
    route: "POST /v1/jobs/{name}/pause",
    path: "/v1/jobs/nexus-low-stock/pause",
    role: "operator",
    status: 200,
  },
  {
    route: "POST /v1/jobs/{name}/resume",
    path: "/v1/jobs/nexus-low-stock/resume",
    role: "operator",
    status: 200,
  },
  {
    route: "POST /v1/jobs/{name}/run",
    path: "/v1/jobs/none/run",
    role: "operator",
    status: 404,
    code: "job_not_found",
  },
  { route: "POST /v1/jobs/{name}/run", path: "/v1/jobs/none/run", status: 403, code: "operator_only" },
  { route: "POST /v1/jobs/{name}/pause", path: "/v1/jobs/none/pause", status: 403, code: "operator_only" },
  { route: "POST /v1/jobs/{name}/resume", path: "/v1/jobs/none/resume", status: 403, code: "operator_only" },
  { route: "GET /v1/nodes", status: 200 },
  { route: "POST /v1/nodes/drain", role: "operator", status: 409, code: "not_a_fleet" },
  { route: "POST /v1/nodes/drain", status: 403, code: "operator_only" },
  { route: "POST /v1/nodes/resume", role: "operator", status: 409, code: "not_a_fleet" },
  { route: "POST /v1/nodes/resume", status: 403, code: "operator_only" },
  { route: "GET /v1/sinks", status: 200 },
  {
    route: "POST /v1/sinks/{name}/wake",
    path: "/v1/sinks/none/wake",
    role: "operator",
    status: 404,
    code: "sink_not_found",
  },
  { route: "POST /v1/sinks/{name}/wake", path: "/v1/sinks/none/wake", status: 403, code: "operator_only" },
  {
    route: "POST /v1/sinks/{name}/test",
    path: "/v1/sinks/none/test",
    role: "operator",
    status: 404,
    code: "sink_not_found",
  },
  { route: "POST /v1/sinks/{name}/test", path: "/v1/sinks/none/test", status: 403, code: "operator_only" },
  {
    route: "POST /v1/sinks/{name}/pause",
    path: "/v1/sinks/none/pause",
    role: "operator",
    status: 404,
    code: "sink_not_found",
  },
  { route: "POST /v1/sinks/{name}/pause", path: "/v1/sinks/none/pause", status: 403, code: "operator_only" },
  {
    route: "POST /v1/sinks/{name}/resume",
    path: "/v1/sinks/none/resume",
    role: "operator",
    status: 404,
    code: "sink_not_found",
  },
  {
    route: "POST /v1/sinks/{name}/resume",
    path: "/v1/sinks/none/resume",
    status: 403,
    code: "operator_only",
  },
  { route: "GET /v1/messaging/sessions", status: 200 },
  {
    route: "GET /v1/messaging/sessions/{idOrAlias}/messages",
    path: "/v1/messaging/sessions/ops/messages",
    status: 200,
  },
  {
    route: "GET /v1/messaging/sessions/{idOrAlias}/messages",
    path: "/v1/messaging/sessions/x/messages",
    status: 404,
    code: "session_not_found",
  },
  {
    route: "GET /v1/messaging/sessions/{idOrAlias}/messages",
    path: "/v1/messaging/sessions/sessio/messages",
    status: 409,
    code: "ambiguous_session",
  },
  { route: "GET /v1/nex/insights", path: "/v1/nex/insights?limit=2&since=2026-01-01T00:00:00Z", status: 200 },
  { route: "GET /v1/nexus/stock/low", status: 200 },
  { route: "GET /v1/nexus/orders/pending", status: 200 },
  { route: "POST /v1/reload", role: "operator", status: 200 },
  { route: "POST /v1/reload", status: 403, code: "operator_only" },
  {
    ...{ route: "POST /v1/messaging/import", role: "operator", status: 200 },
    body: { sessions: [{ sessionId: "s-1", agentId: "me", sessionKey: "k", cursor: "7", alias: "ops" }] },
  },
  {
    ...{ route: "POST /v1/messaging/import", role: "operator", status: 400, code: "invalid_request" },
    body: { sessions: [] },
  },
  {
    ...{ route: "POST /v1/messaging/import", status: 403, code: "operator_only" },
    body: { sessions: [] },
  },
  { route: "GET /v1/operations", path: "/v1/operations?service=nexus&effect=write", status: 200 },
  { route: "GET /v1/operations", path: "/v1/operations?service=x", status: 400, code: "invalid_request" },
  {
    route: "POST /v1/reads",
    body: { operation: "nexus.orders.get", input: { orderId: ORDER_ID } },
    status: 200,
  },
  { route: "POST /v1/reads", body: { operation: "x" }, status: 404, code: "operation_not_found" },
  { route: "POST /v1/reads", body: {}, status: 400, code: "invalid_request" },
  { route: "POST /v1/writes", body: { ...SHIP, reason: "it left", agent: "me", ttl: "1h" }, status: 202 },
  { route: "POST /v1/writes", body: { ...SHIP, agent: "me" }, status: 200 },
  { route: "POST /v1/writes", body: { ...SHIP, input: {} }, status: 400, code: "invalid_input" },
  { route: "POST /v1/writes", body: { operation: "x", ttl: "soon" }, status: 400, code: "invalid_request" },
  { route: "GET /v1/writes", path: "/v1/writes?state=proposed,unknown&limit=2", status: 200 },
  { route: "GET /v1/writes", path: "/v1/writes?after=none", status: 404, code: "write_not_found" },
  { route: "GET /v1/writes/{id}", path: "/v1/writes/w0?wait=1ms", status: 200 },
  { route: "GET /v1/writes/{id}", path: "/v1/writes/w1", role: "operator", status: 200 },
  { route: "GET /v1/writes/{id}", path: "/v1/writes/none", status: 404, code: "write_not_found" },
  ...(["approve", "reject", "resolve"] as const).map((action) => ({
    route: `POST /v1/writes/{id}/${action}`,
    path: `/v1/writes/w1/${action}`,
    ...{ body: { digest: DIGEST }, status: 403, code: "operator_only" },
  })),
  {
    route: "POST /v1/writes/{id}/approve",
    path: "/v1/writes/w1/approve",
    ...{ role: "operator", body: { digest: "1".repeat(64) }, status: 409, code: "digest_mismatch" },
  },
  {
    route: "POST /v1/writes/{id}/approve",
    path: "/v1/writes/w1/approve",
    ...{ role: "operator", body: { digest: DIGEST, note: "fine" }, status: 200 },
  },
  {
    route: "POST /v1/writes/{id}/reject",
    path: "/v1/writes/w1/reject",
    ...{ role: "operator", body: { reason: "no" }, status: 409, code: "write_already_decided" },
  },
  {
    route: "POST /v1/writes/{id}/reject",
    path: "/v1/writes/w2/reject",
    ...{ role: "operator", body: { reason: "no" }, status: 200 },
  },
  {
    route: "POST /v1/writes/reject",
    ...{ role: "operator", body: { agent: "nobody", reason: "no", dryRun: true }, status: 200 },
  },
  {
    route: "POST /v1/writes/{id}/resolve",
    path: "/v1/writes/w0/resolve",
    ...{ role: "operator", body: { outcome: "succeeded", note: "it is there" }, status: 200 },
  },
  {
    route: "POST /v1/writes/{id}/cancel",
    path: "/v1/writes/w2/cancel",
    ...{ status: 409, code: "write_already_decided" },
  },
  { route: "GET /v1/history", path: "/v1/history?range=month", ...{ status: 200 } },
  {
    route: "GET /v1/history",
    path: "/v1/history?range=year",
    ...{ status: 400, code: "invalid_request" },
  },
  { route: "GET /v1/writes/{id}/review", path: "/v1/writes/w3/review", ...{ status: 200 } },
  {
    route: "GET /v1/writes/{id}/review",
    path: "/v1/writes/nothing/review",
    ...{ status: 404, code: "write_not_found" },
  },
  {
    route: "GET /v1/writes/{id}/statement",
    path: "/v1/writes/w3/statement?decision=reject",
    ...{ status: 200, type: "text/plain; charset=utf-8" },
  },
  {
    route: "GET /v1/writes/{id}/statement",
    path: "/v1/writes/w2/statement",
    ...{ status: 409, code: "write_already_decided" },
  },
  {
    route: "POST /v1/writes/{id}/decide",
    path: "/v1/writes/w3/decide",
    ...{
      body: { statement: "approve", signature: "x", signer: "alice" },
      status: 400,
      code: "statement_malformed",
    },
  },
  { route: "GET /v1/audit", path: "/v1/audit?after=0&limit=5&writeId=w1", role: "operator", status: 200 },
  { route: "GET /v1/audit", status: 403, code: "operator_only" },
  { route: "GET /v1/audit/verify", role: "operator", status: 200 },
  { route: "GET /v1/audit/verify", status: 403, code: "operator_only" },
  {
    route: "POST /v1/audit/checkpoints",
    ...{
      role: "operator",
      body: { sequence: 1, hash: "0".repeat(64) },
      status: 409,
      code: "digest_mismatch",
    },
  },
  {
    route: "POST /v1/audit/checkpoints",
    ...{ body: { sequence: 1, hash: "0".repeat(64) }, status: 403, code: "operator_only" },
  },
  { route: "GET /v1/backup", role: "operator", status: 200, type: "application/vnd.sqlite3" },
  { route: "GET /v1/backup", status: 403, code: "operator_only" },
  { route: "GET /metrics", role: "operator", status: 200, type: "text/plain; version=0.0.4; charset=utf-8" },
  { route: "GET /metrics", path: "/metrics?x=1", role: "operator", status: 400, code: "invalid_request" },
  { route: "GET /metrics", status: 403, code: "operator_only" },
  { route: "GET /openapi.json", status: 200 },
];

test("every route answers as described, with the daemon's version and epoch", async () => {
  for (const { route, body, role = "agent", status, code, ...rest } of calls) {
    const [method = "", described = ""] = route.split(" ");
    const path = rest.path ?? described;
    const answer = await control.call(method, path, { role, body });
    const about = `${method} ${path} on ${role}`;
    expect(answer.status, about).toBe(status);
    expect(answer.headers, about).toMatchObject({
      "nexusd-version": control.context.version,
      "nexusd-epoch": control.store.epoch,
    });
    if (code) expect(answer.json, about).toMatchObject({ status, code });
    if (status === 204) continue;
    if (rest.type) {
      expect(answer.headers["content-type"], about).toBe(rest.type);
      expect(describedAs(method, described, answer), `${about} is described`).toBeDefined();
      continue;
    }
    const type = code ? "application/problem+json" : "application/json";
    expect(answer.headers["content-type"], about).toBe(`${type}; charset=utf-8`);
    const schema = describedAs(method, described, answer);
    expect(schema, `${about} is described`).toBeDefined();
    expect(schema?.safeParse(answer.json), about).toMatchObject({ success: true });
  }
});

test("the document is OpenAPI 3.1, identical on both sockets, and lists exactly the routes that are called here", async () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.toSorted()).toEqual([...new Set(calls.map(({ route }) => route))].toSorted());
  expect((await control.get("/openapi.json", { role: "agent" })).json).toEqual(document);
});

test("every operation declares its problems as problem+json", () => {
  for (const operations of Object.values(document.paths))
    for (const { responses } of Object.values(operations))
      for (const status of ["400", "403", "500", "503"])
        expect(responses[status]?.content).toHaveProperty(["application/problem+json"]);
});

test("a field missing from the contract is noticed", () => {
  const answer: Answer = {
    status: 200,
    headers: { "content-type": "application/json" },
    text: "",
    json: { status: "ok", epoch: "e", version: "1", extra: true },
  };
  expect(describedAs("GET", "/v1/health", answer)?.safeParse(answer.json).success).toBe(false);
});

test("each request has its own operation id, so that a client can name its method by it", () => {
  const ids = Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    .map(({ operationId }) => operationId);
  for (const id of ids) expect(id).toMatch(/^[a-z]+[A-Z][A-Za-z]+$/);
  expect(new Set(ids).size).toBe(ids.length);
});

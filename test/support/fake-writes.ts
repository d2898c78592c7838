// The write path of the small daemon in cli.ts: operations, proposals and decisions in memory, in the API's shapes.

import type { IncomingMessage, ServerResponse } from "node:http";
import { shownActor } from "../../src/contract/actor.ts";
import type { ShownWrite } from "../../src/contract/api/writes.ts";
import type { OperationSummary, Write, WriteState } from "../../src/contract/writes.ts";
import { digestOf } from "../../src/core/canonical-json.ts";
import { parseJson, stringifyJson } from "../../src/core/exact-json.ts";
import { renderPreview } from "../../src/writes/preview.ts";
import type { FakeDaemon } from "./cli.ts";
import { summaryOf } from "./summary.ts";

export interface FakeWrites {
  /** By id, in order of proposal. */
  all: Map<string, Write>;
  operations: OperationSummary[];
  /** Bodies as they arrived, with the path they were sent to. */
  bodies: { path: string; text: string }[];
  /** Ids in the order in which they were fetched individually. */
  shown: string[];
  audit: { rows: unknown[]; verdict: unknown };
  /** A list is built at once and sent when this has resolved. */
  listsAfter: Promise<void>;
  /** A page holds no more than this, as if the writes were long. */
  pageMost: number;
  propose(changes?: Partial<Write>): Write;
  move(id: string, state: WriteState, changes?: Partial<Write>): Write;
}

let counter = 0;

/** Adds the routes to the daemon, through its `override`. */
export function serveWrites(daemon: FakeDaemon): FakeWrites {
  const changed = new Set<() => void>();
  const fake: FakeWrites = {
    all: new Map(),
    operations: OPERATIONS,
    bodies: [],
    shown: [],
    audit: {
      rows: [],
      verdict: { ok: true, rows: 0, head: null, pruned: null, changed: [], changedCount: 0 },
    },
    listsAfter: Promise.resolve(),
    pageMost: Number.POSITIVE_INFINITY,
    propose(changes = {}) {
      const input = { orderId: `o-${++counter}`, orderStatus: "shipped" };
      const request = stringifyJson({ input, operation: changes.operation ?? "nexus.orders.update_status" });
      const write: Write = { ...EXAMPLE, id: idOf(counter), request, digest: digestOf(request), ...changes };
      fake.all.set(write.id, write);
      announce(write);
      return write;
    },
    move(id, state, changes = {}) {
      const before = fake.all.get(id);
      if (!before) throw new Error(`no write ${id}`);
      const write: Write = { ...before, state, decidedAt: new Date().toISOString(), ...changes };
      fake.all.set(id, write);
      announce(write);
      return write;
    },
  };
  const announce = (write: Write) => {
    const { id, operation, state, digest, agent, reason, note, result, decidedBy } = write;
    const { door, user, signer } = shownActor(decidedBy ?? { via: "agent.sock", user: null });
    const step = {
      ...{ writeId: id, operation, state, digest, agent, reason, note, error: result?.error ?? null },
      ...(decidedBy && { actor: { door, user, signer } }),
    };
    daemon.append(`write.${state}`, step, { subject: id });
    for (const notify of [...changed]) notify();
  };

  const send = (response: ServerResponse, status: number, body: unknown) => {
    const type = status < 400 ? "application/json" : "application/problem+json";
    response.writeHead(status, { "content-type": type, "nexusd-epoch": daemon.epoch });
    response.end(stringifyJson(body));
  };
  const refuse = (response: ServerResponse, status: number, code: string, detail: string) =>
    send(response, status, { type: "about:blank", title: code, status, detail, code });
  const view = (write: Write) => ({
    ...write,
    decidedBy: write.decidedBy && shownActor(write.decidedBy),
    input: (parseJson(write.request) as { input: unknown }).input,
  });
  const shown = (write: Write): ShownWrite => ({
    ...view(write),
    previewText: renderPreview(write),
    signing: null,
  });

  const leaves = (write: Write, waitMs: number) =>
    new Promise<void>((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        changed.delete(check);
        resolve();
      };
      const check = () => fake.all.get(write.id)?.state !== write.state && settle();
      const timer = setTimeout(settle, waitMs);
      changed.add(check);
    });

  const decide = (response: ServerResponse, id: string, verb: string, body: Record<string, string>) => {
    const write = fake.all.get(id);
    if (!write) return refuse(response, 404, "write_not_found", `There is no write ${id}.`);
    if (verb === "resolve") return send(response, 200, view(fake.move(id, "resolved", asResolved(body))));
    if (write.state !== "proposed")
      return refuse(response, 409, "write_already_decided", `The write is ${write.state} already.`);
    if (verb === "approve" && body.digest !== write.digest)
      return refuse(response, 409, "digest_mismatch", "The digest is not that of this write.");
    const state = DECISIONS[verb];
    if (!state) return refuse(response, 404, "not_found", "There is no such route.");
    return send(response, 200, view(fake.move(id, state, { note: body.reason ?? body.note ?? null })));
  };

  const handle = async (request: IncomingMessage, response: ServerResponse, url: URL, text: string) => {
    const [, , resource, id = "", verb = ""] = url.pathname.split("/").map(decodeURIComponent);
    const body = text === "" ? {} : (parseJson(text) as Record<string, string>);
    if (request.method === "POST") fake.bodies.push({ path: url.pathname, text });
    if (resource === "operations") return send(response, 200, fake.operations);
    if (resource === "reads")
      return send(response, 200, { output: body.input, meta: { service: "nexus", durationMs: 3 } });
    if (resource === "audit") return send(response, 200, id ? fake.audit.verdict : auditPage(fake));
    if (request.method === "POST")
      return id
        ? decide(response, id, verb, body)
        : send(response, 202, view(fake.propose(asProposed(body))));
    if (!id) {
      const isSummary = url.searchParams.get("view") === "summary";
      const found = page(fake, url.searchParams, isSummary ? summaryOf : view);
      await fake.listsAfter;
      return send(response, 200, found);
    }
    const write = fake.all.get(id);
    if (!write) return refuse(response, 404, "write_not_found", `There is no write ${id}.`);
    fake.shown.push(id);
    const waitMs = Number.parseInt(url.searchParams.get("wait") ?? "0", 10);
    if (waitMs > 0) await leaves(write, waitMs);
    return send(response, 200, shown(fake.all.get(id) ?? write));
  };

  daemon.override = (request, response) => {
    const url = new URL(request.url ?? "/", "http://nexusd");
    if (!/^\/v1\/(operations|reads|writes|audit)(\/|$)/.test(url.pathname)) return false;
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => void handle(request, response, url, text));
    return true;
  };
  return fake;
}

const DECISIONS: Record<string, WriteState> = {
  approve: "approved",
  reject: "rejected",
  cancel: "cancelled",
};

const asResolved = ({ outcome, note }: Record<string, string>): Partial<Write> => ({
  outcome: outcome === "succeeded" ? "succeeded" : "failed",
  note: note ?? null,
});

const asProposed = ({ operation, input, reason, agent }: Record<string, string>): Partial<Write> => {
  const request = stringifyJson({ input, operation });
  return {
    ...{ operation: String(operation), request, digest: digestOf(request) },
    ...{ reason: reason ?? null, agent: agent ?? null },
  };
};

function page({ all, pageMost }: FakeWrites, query: URLSearchParams, view: (write: Write) => unknown) {
  const states = query.getAll("state");
  const after = query.get("after");
  const limit = Math.min(pageMost, Number(query.get("limit") ?? 100));
  const found = [...all.values()]
    .toReversed()
    .filter(({ id, state }) => (!after || id < after) && (states.length === 0 || states.includes(state)));
  const next = found.length > limit ? (found[limit - 1]?.id ?? null) : null;
  return { writes: found.slice(0, limit).map(view), next };
}

const auditPage = ({ audit: { rows } }: FakeWrites) => ({ rows, next: rows.length });

const idOf = (number: number) => `01K0000000000000000000${String(number).padStart(4, "0")}`;

const EXAMPLE: Write = {
  id: "",
  operation: "nexus.orders.update_status",
  service: "nexus",
  state: "proposed",
  request: "",
  digest: "",
  preview: {
    method: "PATCH",
    url: "https://nexus.example/rest/v1/orders?id=eq.o-1",
    headers: [{ name: "apikey", value: "‹anon key›" }],
    body: '{"order_status":"shipped"}',
  },
  precondition: '{"order_status":"paid"}',
  target: "order:o-1",
  idempotent: true,
  destructive: false,
  approval: "operator",
  reason: "the parcel left",
  agent: "scout",
  idempotencyKey: null,
  account: null,
  isBound: false,
  proposedAt: new Date(Date.now() - 3000).toISOString(),
  expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
  shownAt: null,
  decidedAt: null,
  decidedBy: null,
  signedBy: [],
  note: null,
  executingAt: null,
  finishedAt: null,
  attempts: 0,
  result: null,
  outcome: null,
  bodyRemovedAt: null,
};

const OPERATIONS: OperationSummary[] = [
  {
    name: "nexus.orders.update_status",
    service: "nexus",
    effect: "write",
    title: "Change the status of an order",
    description: "Moves an order on.",
    approval: "operator",
    idempotent: true,
    destructive: false,
    inputSchema: {
      type: "object",
      properties: {
        orderId: { type: "string", description: "The order's id" },
        orderStatus: { type: "string", enum: ["paid", "shipped"], description: "The new status" },
        notify: { type: "boolean", default: false },
        quantity: { type: "integer" },
        price: { type: "number" },
        tags: { type: "array", items: { type: "string" } },
        attributes: { type: "object", propertyNames: { type: "string" }, additionalProperties: {} },
        lines: {
          type: "array",
          items: {
            type: "object",
            properties: { sku: { type: "string" }, count: { type: "integer" } },
            required: ["sku"],
            additionalProperties: false,
          },
        },
      },
      required: ["orderId", "orderStatus"],
      additionalProperties: false,
    },
  },
  {
    name: "nexus.orders.list",
    service: "nexus",
    effect: "read",
    title: "List orders",
    description: "The newest first.",
    approval: null,
    idempotent: true,
    destructive: false,
    inputSchema: { type: "object", properties: { limit: { type: "integer" } }, additionalProperties: false },
  },
];

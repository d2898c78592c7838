// Whatever an input contains, a request keeps its shape: server, path, parameters, headers.

import { describe, expect, test } from "vitest";
import { targetPath } from "../../../src/http/outgoing.ts";
import { catalogue } from "../../../src/services/catalogue.ts";
import { fieldsOf, segment } from "../../../src/services/input.ts";
import type { MessagingFacts } from "../../../src/services/messaging/facts.ts";
import { findServer } from "../../../src/services/messaging/servers.ts";
import type { NexusFacts } from "../../../src/services/nexus/facts.ts";
import {
  NO_CREDENTIAL,
  type Operation,
  OperationError,
  type OperationRequest,
} from "../../../src/services/operation.ts";
import fc from "../../support/fc.ts";
import { samples } from "./samples.ts";
import { operationNamed } from "./support.ts";

const origins = {
  messaging: "https://messaging.example",
  nex: "https://nex.example",
  nexus: "https://nexus.example",
};

const factsWith = (
  sessionId = "5a".repeat(24),
  baseUrl = origins.messaging,
): MessagingFacts & NexusFacts & { origins: typeof origins } => {
  const session = { sessionId, alias: "shop", baseUrl, agentId: "nexusd", state: "joined", cursor: "1" };
  return {
    origin: origins.messaging,
    origins,
    agentId: "nexusd",
    sessions: [session],
    server: (name) => (name === undefined ? origins.messaging : findServer([origins.messaging], name)),
    session: () => session,
    organizationId: () => "0a000000-0000-4000-8000-000000000001",
  };
};

const build = (operation: Operation, input: unknown, facts = factsWith()): OperationRequest => {
  const parsed = operation.input.parse(input);
  const full = operation.normalize?.(parsed, facts) ?? parsed;
  // A change of nexusd's own state has no request that an input could alter.
  const local = {
    method: "PUT",
    origin: origins.messaging,
    path: "/",
    label: "",
    credential: NO_CREDENTIAL,
  } as const;
  return operation.request?.(full, facts) ?? local;
};

/** A refusal by nexusd leaves everything unchanged. */
const buildOrRefuse = (operation: Operation, input: unknown): OperationRequest | undefined => {
  try {
    return build(operation, input);
  } catch (error) {
    if (error instanceof OperationError) return undefined;
    throw error;
  }
};

/** Everything in a request that its input must not be able to change. */
function shapeOf({ method, origin, path, label, headers = {}, json, credential }: OperationRequest) {
  const url = new URL(origin + targetPath(origin, path, { service: "test", label }));
  return {
    ...{ method, origin, label, headers },
    url: url.origin + url.username + url.password + url.hash,
    segments: url.pathname.split("/").length,
    // The fixed parts of a path are written in lower case letters.
    fixed: url.pathname.split("/").slice(0, 3),
    parameters: [...url.searchParams.keys()].toSorted(),
    // PostgREST's; elsewhere a value is just text.
    operators:
      credential.kind === "nexus" &&
      [...url.searchParams.values()].map((value) => /^[a-z]+\.|^\(/.exec(value)?.[0]),
    fields: Object.keys(fieldsOf(json)).toSorted(),
    credential: credential.kind,
  };
}

const nasty = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc
    .array(fc.constantFrom("..", ".", "/", "\\", "%2e", "%2F", "?", "#", "&", "=", ";", "@", ":", "//", "a"))
    .map((parts) => parts.join("")),
  fc.constantFrom(
    ...["..", ".", "%2e%2e", "../../v1/objects", "..%2f..", "https://evil.example/", "//evil.example", "a b"],
    ...[
      "1?x=1",
      "1#x",
      "eq.1,id.neq.1",
      '"),or=(id.eq.1"',
      "*",
      "a\r\nx-evil: 1",
      "\u202e1",
      "1\u0000",
      "\ud800",
    ],
    ...[
      "eq.pending&id=gt.0",
      "in.(a,b)",
      "+20 100",
      "%",
      "%00",
      "[REDACTED]",
      "__proto__",
      "constructor",
      "📦",
    ],
  ),
);

/** The paths of all strings in an input. */
const textsIn = (value: unknown, path: (string | number)[] = []): (string | number)[][] => {
  if (typeof value === "string") return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    textsIn(part, [...path, Array.isArray(value) ? Number(key) : key]),
  );
};

const replaced = (value: unknown, [key, ...rest]: (string | number)[], by: string): unknown => {
  if (key === undefined) return by;
  if (Array.isArray(value))
    return value.map((part, index) => (index === key ? replaced(part, rest, by) : part));
  return { ...fieldsOf(value), [key]: replaced(fieldsOf(value)[key], rest, by) };
};

const cases = catalogue.all().map((operation) => ({ name: operation.name, operation }));

/** `nexus.rest.select` names its table and columns: that is its purpose. Its own test covers the rest. */
const FREE: Record<string, (path: (string | number)[]) => boolean> = {
  "nexus.rest.select": (path) => !["table", "key", "column", "operator"].includes(String(path.at(-1))),
};

test("every operation has a sample, and nothing else does", () => {
  expect(Object.keys(samples).toSorted()).toEqual(cases.map(({ name }) => name));
});

describe.each(cases)("$name", ({ name, operation }) => {
  const sample = samples[name];

  test("keeps the shape of its request, whatever the texts in its input", () => {
    const shape = shapeOf(build(operation, sample));
    const texts = textsIn(sample).filter(FREE[name] ?? (() => true));
    if (texts.length === 0) return;
    fc.assert(
      fc.property(fc.constantFrom(...texts), nasty, (path, text) => {
        const input = replaced(sample, path, text);
        if (!operation.input.safeParse(input).success) return;
        const request = buildOrRefuse(operation, input);
        if (request) expect(shapeOf(request)).toEqual(shape);
      }),
      { numRuns: 300 },
    );
  });

  test("refuses unknown fields, including a misspelt one and __proto__", () => {
    for (const field of ["zzz", "__proto__", "organizationId"]) {
      const input = JSON.parse(JSON.stringify({ ...sample, zzz: 1 }).replace('"zzz"', JSON.stringify(field)));
      expect(operation.input.safeParse(input).success).toBe(false);
    }
  });

  test("builds the same request from the stored input", () => {
    const facts = factsWith();
    const parsed = operation.input.parse(sample);
    const full = operation.normalize?.(parsed, facts) ?? parsed;
    const stored: unknown = JSON.parse(JSON.stringify(full));
    expect(operation.input.parse(stored)).toEqual(full);
    expect(build(operation, stored)).toEqual(build(operation, sample));
  });
});

test("an id in a path is exactly that id, for every accepted id", () => {
  fc.assert(
    fc.property(nasty, (recordId) => {
      const operation = operationNamed("nex.records.get");
      if (!operation.input.safeParse({ recordId }).success) return;
      const { pathname } = new URL(origins.nex + build(operation, { recordId }).path);
      const prefix = "/api/developers/v1/records/";
      expect(pathname.startsWith(prefix)).toBe(true);
      expect(pathname.slice(prefix.length)).not.toContain("/");
      expect(decodeURIComponent(pathname.slice(prefix.length))).toBe(recordId);
    }),
    { numRuns: 2000 },
  );
});

test.each(["messaging.sessions.get", "messaging.sessions.renew", "messaging.messages.send"])(
  "%s stays in its session, whatever id a server returned",
  (name) => {
    const rest = { "messaging.sessions.renew": "/renew", "messaging.messages.send": "/messages" }[name] ?? "";
    fc.assert(
      fc.property(nasty, (sessionId) => {
        let request: OperationRequest;
        try {
          request = build(operationNamed(name), samples[name], factsWith(sessionId));
        } catch {
          return;
        }
        const { origin, pathname } = new URL(request.origin + request.path);
        expect(origin).toBe(origins.messaging);
        expect(pathname.split("/")).toEqual(`/v1/sessions/${segment(sessionId)}${rest}`.split("/"));
        expect(targetPath(origin, request.path, { service: "test", label: "" })).toBe(pathname);
      }),
      { numRuns: 1000 },
    );
  },
);

describe("ids", () => {
  const parse = (recordId: unknown) => operationNamed("nex.records.get").input.safeParse({ recordId });

  test("that are integers stay exact or are refused", () => {
    const above = 2n ** 53n + 1n;
    expect(parse(above).data).toEqual({ recordId: "9007199254740993" });
    expect(parse(7).data).toEqual({ recordId: "7" });
    // This one was rounded before it came here: its original value is lost.
    expect(parse(2 ** 53 + 2).success).toBe(false);
    expect(parse(1.5).success).toBe(false);
  });

  test.each(["", ".", "..", " ", "a b", "a\n", "\u202e1", "1\u200b", "\ud800", "x".repeat(201)])(
    "%j is refused",
    (id) => {
      expect(parse(id).success).toBe(false);
    },
  );
});

test("an attribute that a copy would lose is refused", () => {
  for (const name of ["nex.records.create", "nex.records.upsert"]) {
    const text = JSON.stringify(samples[name]).replace(
      '"attributes":{',
      '"attributes":{"__proto__":{"a":1},',
    );
    const result = operationNamed(name).input.safeParse(JSON.parse(text));
    expect(result.error?.issues).toMatchObject([{ path: ["attributes", "__proto__"] }]);
    // Deeper inside it is an ordinary field.
    const deep = JSON.parse(JSON.stringify(samples[name]).replace('"name":', '"x":{"__proto__":1},"name":'));
    expect(JSON.stringify(build(operationNamed(name), deep).json)).toContain('"x":{"__proto__":1}');
  }
});

test.each([
  ["nexus.orders.get", { orderId: "eq.1" }],
  ["nexus.orders.get", { orderId: "0a000000-0000-4000-8000-000000000505,id.neq.1" }],
  ["nexus.orders.list", { orderStatus: "pending,confirmed" }],
  ["nexus.orders.list", { orderStatus: "in.(pending)" }],
  ["nexus.orders.list", { createdFrom: '2026-01-01T00:00:00Z"),or(id.gt.0' }],
  ["nexus.orders.list", { limit: 101 }],
  ["nexus.orders.list", { offset: 1 }],
  ["nexus.orders.list", { after: "x" }],
  ["nexus.rest.select", { table: "rpc/f" }],
  ["nexus.rest.select", { table: "orders", columns: ["*"] }],
  ["nexus.rest.select", { table: "orders", columns: ["a,b"] }],
  ["nexus.rest.select", { table: "orders", filters: [{ column: "id", operator: "fts", value: "x" }] }],
  ["nexus.rest.select", { table: "orders", filters: [{ column: "or", operator: "eq", value: "x" }] }],
  ["nexus.rest.select", { table: "orders", filters: [{ column: "id)", operator: "eq", value: "x" }] }],
  ["nexus.rest.select", { table: "orders", filters: [{ column: "id", operator: "in", value: "(1)" }] }],
  ["nexus.rest.select", { table: "orders", query: "select=*" }],
  ["nexus.customers.search", {}],
  ["nexus.customers.search", { phoneNumber: "201005550101" }],
  ["nexus.customers.search", { phoneNumber: "+20 100 555" }],
  ["nexus.customers.create", { tags: ["vip"] }],
  ["nexus.customers.create", { firstName: "A", address: { zip: "1" } }],
  ["nexus.customers.update_tags", { customerId: "0a000000-0000-4000-8000-000000000401", tags: [""] }],
  ["nexus.stock.get", { sku: "" }],
  ["nexus.stock.get", { sku: "a\nb" }],
  ["messaging.messages.send", { session: "shop" }],
  ["messaging.messages.send", { session: "shop", text: "" }],
  ["messaging.messages.send", { session: "shop", text: "\ud800" }],
  ["messaging.messages.list", { session: "shop", after: "-1" }],
  ["messaging.sessions.create", { ttlSeconds: 86_401 }],
  ["nex.records.create", { objectSlug: "person", attributes: {} }],
  ["nex.notes.create", { title: "" }],
])("%s refuses %j", (name, input) => {
  expect(operationNamed(name).input.safeParse(input).success).toBe(false);
});

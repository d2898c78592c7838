// Requests that no client would send: valid, nearly valid and hostile ones to every route in the API's description, the
// same ones for the same seed.

import type { OperationSummary } from "../../src/contract/writes.ts";
import { HEADERS, IDS, LARGE, METHODS, PARAMETERS, QUERIES, TEXTS, VALUES } from "./fuzz-values.ts";
import { ORDER_ID, SESSION_ALIAS, SESSION_ID } from "./write-path.ts";

export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Buffer | undefined;
  /** Sent as raw bytes, on its own connection: Node.js would refuse to send it. */
  isRaw: boolean;
}

interface Route {
  method: string;
  /** With its `{parameters}`. */
  path: string;
  /** The names of its query parameters. */
  query: string[];
}

/** Everything that a generator can name: what exists before the first request. */
export interface Known {
  routes: Route[];
  operations: OperationSummary[];
  writes: { id: string; digest: string }[];
  /** Those with an unknown outcome. */
  unknown: { id: string }[];
  jobs: string[];
}

export type Random = ReturnType<typeof createRandom>;

/** mulberry32. */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return {
    below,
    chance: (probability: number) => next() < probability,
    pick<T>(list: readonly T[]): T {
      const one = list[below(list.length)];
      if (one === undefined) throw new Error("nothing to pick from");
      return one;
    },
  };
}

/** `wait` is kept short, and ending a job or a stream is up to the sender. */
export function createFuzz(random: Random, known: Known) {
  const { pick, chance, below } = random;
  // The start of a service call is where most can go wrong.
  const routes = known.routes.flatMap((route) =>
    Array<Route>(/^POST .*\/(writes|reads)$/.test(`${route.method} ${route.path}`) ? 6 : 1).fill(route),
  );

  const value = (): unknown => pick(VALUES);

  const parameter = (name: string, route: string): string => {
    if (chance(0.25)) return pick(IDS);
    if (name === "id") return pick(route.endsWith("/resolve") ? known.unknown : known.writes).id;
    if (name === "idOrAlias") return pick([SESSION_ALIAS, SESSION_ID, SESSION_ID.slice(0, 7)]);
    return pick([...known.jobs, "a", "b", "planner"]);
  };

  const query = (names: string[]): string => {
    if (chance(names.length > 0 ? 0.5 : 0.9)) return "";
    const own = names.length > 0 && chance(0.8) ? names : PARAMETERS;
    const parts = Array.from({ length: 1 + below(2) }, () => `${pick(own)}=${pick(QUERIES)}`);
    return `?${parts.join(chance(0.9) ? "&" : pick([";", "&&"]))}`;
  };

  /** By the names that the operations use, and by the schema's types. */
  const field = (name: string, schema: { type?: string; enum?: unknown[] }): unknown => {
    if (chance(0.1)) return value();
    if (schema.enum) return pick(schema.enum);
    if (name === "session") return pick([SESSION_ALIAS, SESSION_ID]);
    if (/Id$/.test(name)) return pick([ORDER_ID, "1234", LARGE, value()]);
    if (name === "orderStatus") return pick(["shipped", "cancelled", `state_${"abcdefghij"[below(10)]}`]);
    switch (schema.type) {
      case "integer":
      case "number":
        return below(100);
      case "boolean":
        return chance(0.5);
      case "object":
        return { name: `n${below(1000)}`, inner: value() };
      case "array":
        return [value()];
      default:
        return pick(["text", `text ${below(1000)}`, "a@example.com", "+4915112345678"]);
    }
  };

  const operationCall = (effect: "read" | "write"): Record<string, unknown> => {
    if (chance(0.05)) return { operation: value(), input: value() };
    const fitting = known.operations.filter((one) => one.effect === effect);
    const { name, inputSchema } = pick(chance(0.9) ? fitting : known.operations);
    const { properties = {}, required = [] } = inputSchema as {
      properties?: Record<string, { type?: string; enum?: unknown[] }>;
      required?: string[];
    }; // the JSON Schema keywords of an object
    const fields = Object.entries(properties).filter(([key]) => required.includes(key) || chance(0.4));
    return {
      operation: name,
      input: Object.fromEntries(fields.map(([key, schema]) => [key, field(key, schema)])),
    };
  };

  const template = (path: string, id: string): Record<string, unknown> => {
    switch (path.split("/").at(-1)) {
      case "approve":
        return {
          digest: (known.writes.find((write) => write.id === id && chance(0.9)) ?? pick(known.writes)).digest,
          note: "n",
        };
      case "reject":
        return { reason: "no" };
      case "resolve":
        return { outcome: pick(["succeeded", "failed"]), note: "seen" };
      case "ack":
        return { sequence: below(50) };
      case "reads":
        return operationCall("read");
      case "writes":
        return {
          ...operationCall("write"),
          ...(chance(0.5) && { idempotencyKey: `k${below(200)}`, agent: "fuzz", ttl: "1h" }),
        };
      case "{name}":
        return { from: pick(["oldest", "latest", below(20)]) };
      default:
        return {};
    }
  };

  const changed = (body: Record<string, unknown>): unknown => {
    const keys = Object.keys(body);
    const key = keys.length > 0 ? pick(keys) : "x";
    switch (below(6)) {
      case 0: {
        const { [key]: _, ...rest } = body;
        return rest;
      }
      case 1:
        return { ...body, [pick(["x", "state", "actor", "via", "constructor", "force", key])]: value() };
      case 2:
        return { ...body, [key]: [body[key]] };
      case 3:
        return [body];
      case 4:
        return { [key.toUpperCase()]: body[key] };
      default:
        return { ...body, [key]: value() };
    }
  };

  const bodyFor = (path: string, id: string): FuzzRequest["body"] => {
    if (chance(0.001)) return "x".repeat(2 ** 20 + 1);
    if (chance(0.06)) return pick(TEXTS);
    const body = template(path, id);
    const text = JSON.stringify(chance(0.5) ? body : changed(body));
    if (!chance(0.05)) return text;
    // Changes one byte of it, so it may be invalid UTF-8 or JSON.
    const bytes = Buffer.from(text);
    if (bytes.length > 0) bytes[below(bytes.length)] = below(256);
    return bytes;
  };

  const crooked = (path: string): string => {
    switch (below(10)) {
      case 0:
        return `/${path}`;
      case 1:
        return `${path}/`;
      case 2:
        return path.replace("/v1/", "/v1/health/..%2f");
      case 3:
        return path.replace(/\/(?=[^/]*$)/, "%2f");
      case 4:
        return path.toUpperCase();
      case 5:
        return `${path};role=operator`;
      case 6:
        return `http://nexusd${path}`;
      case 7:
        return path.replace("/v1/", "/v1//");
      case 8:
        return `/v1/jobs/../${path.slice(4)}`;
      default:
        return pick([
          "*",
          "/",
          "",
          "/v1",
          "/.well-known/x",
          "//",
          "/%2e%2e/v1/health",
          "/v2/writes",
          `/${"x".repeat(9000)}`,
        ]);
    }
  };

  return (): FuzzRequest => {
    const { method, path: route, query: names } = pick(routes);
    let id = "";
    const path = route.replace(/\{(\w+)\}/g, (_match, name: string) => {
      id = parameter(name, route);
      return id;
    });
    const whole = (chance(0.08) ? crooked(path) : path) + query(names);
    const sent = chance(0.9) ? method : pick(METHODS);
    // Node.js's client does not frame the body of a HEAD request.
    const body =
      sent !== "HEAD" && (["POST", "PUT"].includes(method) || chance(0.05)) ? bodyFor(route, id) : undefined;
    const headers: FuzzRequest["headers"] = {
      host: "nexusd",
      ...(body !== undefined && {
        "content-type": "application/json",
        "content-length": `${Buffer.byteLength(body)}`,
      }),
    };
    if (chance(0.15))
      for (let n = below(3); n >= 0; n--) Object.assign(headers, Object.fromEntries([pick(HEADERS)]));
    return {
      method: sent,
      path: whole,
      headers,
      body,
      isRaw: chance(0.03),
    };
  };
}

/** The request as bytes, sometimes with more errors than a request object could express. */
export function bytesOf(request: FuzzRequest, { pick, chance, below }: Random): Buffer {
  const { method, path, body = "" } = request;
  const { "content-length": _, ...rest } = request.headers;
  const length = Buffer.byteLength(body);
  const lengths = [
    `${length}`,
    `${length}`,
    `${length}`,
    `${length + 1}`,
    `${below(length + 1)}`,
    "-1",
    "0x10",
    "1, 2",
  ];
  const lines = [
    `${method} ${path} ${pick(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "http/1.1", ""])}`,
    ...Object.entries(rest).map(([name, value]) => `${name}${pick([": ", ": ", ":", " : "])}${value}`),
    ...(body === "" && chance(0.5) ? [] : [`content-length: ${pick(lengths)}`]),
    ...(chance(0.1) ? ["transfer-encoding: chunked"] : []),
    ...(chance(0.1) ? [" folded: x"] : []),
    ...["", ""],
  ];
  const head = Buffer.from(lines.join(pick(["\r\n", "\r\n", "\r\n", "\n"])));
  const bytes = Buffer.concat([head, Buffer.from(body)]);
  if (chance(0.2)) bytes[below(bytes.length)] = below(256);
  return chance(0.2) ? bytes.subarray(0, below(bytes.length)) : bytes;
}

// A connection and the tools of a scripted MCP server, over real HTTP.

import type { Store } from "../../../../src/contract/store.ts";
import { type Clock, systemClock } from "../../../../src/core/clock.ts";
import type { RequestBudget } from "../../../../src/http/budget.ts";
import { createHttpClient } from "../../../../src/http/transport.ts";
import { fieldsOf } from "../../../../src/services/input.ts";
import type { NexusFacts } from "../../../../src/services/nexus/facts.ts";
import { createMcpConnection } from "../../../../src/services/nexus/mcp/connection.ts";
import { createMcpTools, type McpSettings } from "../../../../src/services/nexus/mcp/source.ts";
import { type Behaviour, json, serve, type TestServer } from "../../../support/http-server.ts";

export type Message = Record<string, unknown> & { id?: unknown; method?: string };

/** Answers one JSON-RPC request; an unanswered one gets the answer of a server without such a method. */
type Script = (message: Message, respond: (behaviour: Behaviour) => void) => void;

export const result = (message: Message, value: unknown): Behaviour =>
  json({ jsonrpc: "2.0", id: message.id, result: value });
export const failure = (message: Message, code: number, text: string): Behaviour =>
  json({ jsonrpc: "2.0", id: message.id, error: { code, message: text } });

/** An MCP server of the revision that Nexus documents. */
export const serveMcp = (script: Script, session?: () => string): Promise<TestServer> =>
  serve((response, request, index) => {
    const respond = (behaviour: Behaviour) => behaviour(response, request, index);
    if (request.method !== "POST") return respond(json({ error: "method_not_allowed" }, 405));
    if (request.url === "/functions/v1/agent-auth")
      return respond(json({ access_token: "token", organization_id: "org-1", expires_in: 3600 }));
    const message = JSON.parse(request.body) as Message;
    if (message.method === "initialize")
      return respond(
        json(
          {
            jsonrpc: "2.0",
            id: message.id,
            result: {
              protocolVersion: "2025-03-26",
              capabilities: { tools: {}, resources: {} },
              serverInfo: { name: "scripted", version: "1" },
            },
          },
          200,
          session ? { "mcp-session-id": session() } : {},
        ),
      );
    if (message.id === undefined) return respond(json("", 202));
    let isAnswered = false;
    script({ ...message, session: request.headers["mcp-session-id"] }, (behaviour) => {
      isAnswered = true;
      respond(behaviour);
    });
    if (!isAnswered) respond(result(message, {}));
  });

export const connect = (origin: string, clock: Clock = systemClock, budget?: RequestBudget) =>
  createMcpConnection({
    http: createHttpClient({
      ...{ service: "nexus", origin, clock, ...(budget && { budget }) },
      timeoutMs: 2000,
      maxBytes: 1_000_000,
      userAgent: "test",
    }),
    clock,
    version: "0.0.0",
  });

export const call = (method: string, params: Record<string, unknown> = {}) => ({
  label: `POST /mcp ${method}`,
  json: { jsonrpc: "2.0", id: "nexusd-0123456789abcdef", method, params },
});

export const reading = { signal: new AbortController().signal, once: false };
export const writing = { signal: new AbortController().signal, once: true };

/** The methods requested from a server, in order. */
export const methods = (server: TestServer): string[] =>
  server.requests.map(({ method, body }) =>
    method === "POST" ? String(fieldsOf(JSON.parse(body)).method) : method,
  );

export const factsOf = (origin: string): NexusFacts => ({ origin, organizationId: () => "org-1" });

export function createTools(
  origin: string,
  store: Store,
  options: { clock?: Clock; settings?: Partial<McpSettings> } = {},
) {
  const listed: [number, number][] = [];
  const connection = connect(origin);
  const tools = createMcpTools({
    settings: () => ({ isEnabled: true, origin, reads: [], ...options.settings }),
    connection: () => connection,
    clock: options.clock ?? systemClock,
    store,
    onListed: (count, leftOut) => listed.push([count, leftOut]),
  });
  return { tools, connection, listed };
}

export const tool = (name: string, more: object = {}) => ({
  name,
  description: `Does ${name}`,
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  ...more,
});

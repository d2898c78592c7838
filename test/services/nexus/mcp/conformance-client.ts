// The MCP connection as a program, for the official conformance suite: it lists the tools and calls the first one.

import { systemClock } from "../../../../src/core/clock.ts";
import { createHttpClient } from "../../../../src/http/transport.ts";
import { fieldsOf } from "../../../../src/services/input.ts";
import { createMcpConnection } from "../../../../src/services/nexus/mcp/connection.ts";

const url = new URL(process.argv[2] ?? "");
const connection = createMcpConnection({
  http: createHttpClient({
    service: "nexus",
    origin: url.origin,
    clock: systemClock,
    timeoutMs: 10_000,
    maxBytes: 1_000_000,
    userAgent: "nexusd-conformance",
  }),
  clock: systemClock,
  version: "0.0.0",
  path: url.pathname,
});

const call = async (method: string, params: Record<string, unknown>, once = false) => {
  const json = { jsonrpc: "2.0", id: "nexusd-1", method, params };
  const { body } = await connection.call(
    { label: method, json },
    { signal: AbortSignal.timeout(60_000), once },
  );
  return fieldsOf(fieldsOf(body).result);
};

const { tools } = await call("tools/list", {});
const [tool] = Array.isArray(tools) ? tools.map(fieldsOf) : [];
// As a write is sent: with its own id, and once.
if (tool) await call("tools/call", { name: tool.name, arguments: { a: 5, b: 3 } }, true);
process.exit(0);

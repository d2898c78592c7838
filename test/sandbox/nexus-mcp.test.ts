/** The MCP endpoint of the Nexus stand-in follows the vendor's documentation. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";

const keys = { apiKey: "nxs_ak_test", anonKey: "sb_publishable_test" };
let nexus: NexusServer;
let token: string;

beforeAll(async () => {
  nexus = await startNexus({ ...keys, rateLimit: null });
  await nexus.ready;
  const exchange = await fetch(`${nexus.url}/functions/v1/agent-auth`, {
    method: "POST",
    body: JSON.stringify({ api_key: keys.apiKey }),
  });
  ({ access_token: token } = (await exchange.json()) as { access_token: string });
});
afterAll(() => nexus.close());

const ask = (body: unknown, headers: Record<string, string> = {}, method = "POST") =>
  fetch(`${nexus.url}/functions/v1/mcp-server`, {
    method,
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      authorization: `Bearer ${token}`,
      ...headers,
    },
    ...(method === "POST" && { body: JSON.stringify(body) }),
  });
const rpc = (method: string, params: object = {}) => ({ jsonrpc: "2.0", id: 1, method, params });

test("answers JSON, without a session, even before any initialize", async () => {
  const response = await ask(rpc("tools/list"));
  expect(response.headers.get("content-type")).toContain("application/json");
  expect(response.headers.get("mcp-session-id")).toBeNull();
  const { result } = (await response.json()) as {
    result: { tools: { name: string; inputSchema: object }[] };
  };
  expect(result.tools.length).toBeGreaterThanOrEqual(8);
  for (const { name, inputSchema } of result.tools) {
    expect(name).toMatch(/^nexus_[a-z_]+$/);
    expect(inputSchema).toMatchObject({ type: "object" });
  }
});

test("negotiates the revision that all of the vendor's samples use", async () => {
  const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "t", version: "1" } };
  expect(await (await ask(rpc("initialize", params))).json()).toMatchObject({
    result: { protocolVersion: "2025-03-26", serverInfo: { name: "nexus" } },
  });
});

test("requires a token, and offers no stream", async () => {
  expect((await ask(rpc("tools/list"), { authorization: "Bearer no" })).status).toBe(401);
  expect((await ask(null, {}, "GET")).status).toBe(405);
});

test("never shows the rows of another organization", async () => {
  const call = (name: string, input: object) => ask(rpc("tools/call", { name, arguments: input }));
  const foreign = await call("nexus_get_order", { order_id: "0b000000-0000-4000-8000-000000000501" });
  expect(await foreign.json()).toMatchObject({ result: { isError: true } });
  expect(await (await call("nexus_list_contacts", { limit: 100 })).text()).not.toContain(
    "nobody@example.net",
  );
});

// The MCP server of Nexus as the vendor documents it, on real data: with the token of REST, without sessions.

import { expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import type { OperationSource } from "../../../../src/services/catalogue.ts";
import { createMcpTools } from "../../../../src/services/nexus/mcp/source.ts";
import { openTestStore } from "../../../support/store.ts";
import { type Row, refusal, useNexus } from "../../operations/nexus-bench.ts";

const nexus = useNexus();

let known: OperationSource | undefined;

/** Listed by the first test that needs them. */
async function toolsOf(): Promise<OperationSource> {
  if (known) return known;
  const { bench, server } = nexus;
  const store = await openTestStore();
  const tools = createMcpTools({
    settings: () => ({ isEnabled: true, origin: server.url, reads: [] }),
    connection: () => bench.mcp,
    ...{ store, clock: systemClock, onListed: () => {} },
  });
  await tools.refresh();
  known = tools;
  return tools;
}

/** As the write path runs it. */
async function run(name: string, input: object): Promise<unknown> {
  const { bench } = nexus;
  const operation = (await toolsOf()).get(`nexus.mcp.${name}`);
  if (!operation) throw new Error(`there is no tool ${name}`);
  const parsed = operation.input.parse(input);
  const request = operation.request?.(parsed, bench.factsOf("nexus"));
  if (!request) throw new Error(`nothing is sent for ${name}`);
  const signal = AbortSignal.timeout(60_000);
  const answer = await (operation.effect === "read"
    ? bench.sender.read(request, signal)
    : bench.sender.writeOnce(request, signal));
  return operation.output(answer, parsed);
}

const mcpRequests = () => nexus.server.requests.filter(({ path }) => path === "/functions/v1/mcp-server");

test("reads show the organization's rows, from the JSON in a text", async () => {
  const { stock } = (await run("nexus_check_stock", { sku: "MUG-LOGO" })) as { stock: Row[] };
  expect(stock).toHaveLength(2);
  const { orders } = (await run("nexus_list_orders", { status: "pending" })) as { orders: Row[] };
  expect(orders.map((order) => order.order_number)).toEqual(["NX-1006", "NX-1005"]);
});

test("a write is done once, and a tool's refusal is a failure of its kind", async () => {
  const contact = { first_name: 'O"Neil', tags: ["a,b"] };
  expect(await run("nexus_create_contact", contact)).toMatchObject({ contact: contact });
  expect(await nexus.actions("nexus_create_contact")).toEqual([contact]);
  expect(await refusal(run("nexus_get_contact", { contact_id: "nobody" }))).toMatchObject({
    code: "tool_failed",
  });
  expect(await refusal(run("nexus_list_social_posts", {}))).toMatchObject({ code: "plan_limit_exceeded" });
  await expect(run("nexus_create_contact", {})).rejects.toThrow();
});

test("a write whose answer is lost was sent once, and may have been done", async () => {
  await run("nexus_check_stock", { sku: "MUG-LOGO" });
  const before = mcpRequests().length;
  nexus.server.addFault({ kind: "drop", match: "mcp-server", afterHandling: true });
  const error = await refusal(run("nexus_create_contact", { first_name: "Lost" }));
  expect(error).toMatchObject({ name: "HttpError", code: "connection_lost", maybeSent: true });
  expect(mcpRequests().length - before).toBe(1);
  expect(await nexus.actions("nexus_create_contact")).toContainEqual({ first_name: "Lost" });
});

test("the six resources are readable", async () => {
  for (const path of [
    "organization/info",
    ...["contacts", "orders", "inventory", "social"].map((name) => `schema/${name}`),
  ])
    expect(await nexus.bench.run("nexus.mcp.read_resource", { uri: `nexus://${path}` })).toMatchObject({
      contents: [{ uri: `nexus://${path}`, mimeType: "application/json" }],
    });
  const unknown = { uri: "nexus://schema/nothing" };
  expect(await refusal(nexus.bench.run("nexus.mcp.read_resource", unknown))).toMatchObject({
    code: "refused",
  });
});

test("an expired token is exchanged once for all requests that hit it, and the connection stays", async () => {
  const input = { uri: "nexus://organization/info" };
  await nexus.bench.run("nexus.mcp.read_resource", input);
  const [exchanges, before] = [nexus.server.exchanges(), mcpRequests().length];
  nexus.server.expireTokens();
  await Promise.all([1, 2, 3].map(() => nexus.bench.run("nexus.mcp.read_resource", input)));
  expect(nexus.server.exchanges() - exchanges).toBe(1);
  // Three that were refused and three that were not, and no new handshake.
  expect(mcpRequests().length - before).toBeLessThanOrEqual(6);
});

test("a limit that is reached reports when it ends", async () => {
  nexus.server.addFault({
    kind: "status",
    status: 429,
    match: "mcp-server",
    headers: { "retry-after": "7" },
  });
  const request = { ...nexus.bench.request("nexus.mcp.read_resource", { uri: "nexus://organization/info" }) };
  const error = await refusal(nexus.bench.sender.writeOnce(request, AbortSignal.timeout(60_000)));
  expect(error).toMatchObject({ status: 429, retryAfterMs: 7000, retryable: true });
});

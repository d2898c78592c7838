// From the question of a model to a changed row: the official MCP client, the real daemon, a person who approves, and
// PostgREST.

import { afterAll, beforeAll, expect, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import { createClient, type Client as Nexusd } from "../../src/client/index.ts";
import { connect, ERAS } from "../mcp/scene.ts";
import { type Installation, install, type RunningDaemon, startDaemon } from "../support/daemon.ts";

const ORDER = "0c000000-0000-4000-8000-000000000008";
let nexus: NexusServer;
let installation: Installation;
let daemon: RunningDaemon;
let operator: Nexusd;

beforeAll(async () => {
  const { NEXUS_API_KEY: apiKey, NEXUS_ANON_KEY: anonKey } = SANDBOX_ENV;
  nexus = await startNexus({ apiKey, anonKey, rateLimit: null });
  await nexus.ready;
  await nexus.sql(
    "insert into orders (id, organization_id, order_number, order_status, total_amount) values ($1, $2, 'M-1', 'pending', 10)",
    [ORDER, nexus.organizationId],
  );
  installation = install(`
[messaging]
enabled = false
[nex]
enabled = false
[nexus]
base_url = "${nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
`);
  operator = createClient(installation);
  daemon = startDaemon(installation);
  await daemon.ready;
});

afterAll(async () => {
  operator?.close();
  await daemon?.end("SIGKILL");
  await nexus?.close();
  installation?.remove();
});

const CHANGES = { "2025-11-25": "confirmed", "2026-07-28": "fulfilling" } as const;

test.each(ERAS)(
  "in revision %s a model finds, reads and proposes, and sees what became of it",
  async (era) => {
    const orderStatus = CHANGES[era];
    const { call } = await connect(installation, era);
    const found = await call("operations_find", { query: "which orders are there", effect: "read" });
    expect(JSON.stringify(found.value)).toContain('"nexus.orders.list"');
    const read = await call("read", { operation: "nexus.orders.list", input: { limit: 50 } });
    expect(JSON.stringify(read.value)).toContain('"M-1"');

    const proposed = await call("propose", {
      operation: "nexus.orders.update_status",
      input: { orderId: ORDER, orderStatus },
      reason: "the shop asked for it",
    });
    expect(proposed).toMatchObject({ isError: false, value: { state: "proposed" } });
    const { id } = proposed.value;
    const { digest } = await operator.writes.get(id);
    await operator.writes.approve(id, { digest });

    const ended = await call("writes_get", { id, waitSeconds: 20 });
    expect(ended).toMatchObject({ isError: false, value: { id, state: "succeeded" } });
    const [row] = await nexus.sql("select order_status from orders where id = $1", [ORDER]);
    expect(row).toEqual({ order_status: orderStatus });
  },
);

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import nexusLowStock from "../../jobs/nexus-low-stock.ts";
import nexusPendingOrders from "../../jobs/nexus-pending-orders.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import type { Job } from "../../src/scheduler/define-job.ts";
import { type JobHarness, runJob } from "./harness.ts";

let nexus: NexusServer;

beforeAll(async () => {
  nexus = await startNexus({ apiKey: "nxs_ak_test", anonKey: "anon", rateLimit: null, dbMaxRows: 7 });
  await nexus.ready;
});
beforeEach(async () => {
  nexus.clearFaults();
  await nexus.sql("update stock_balances set quantity = reserved_quantity + 50");
  await nexus.sql("truncate orders cascade");
});
afterAll(() => nexus.close());

const start = (job: Job) =>
  runJob(
    job,
    `[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]\nbase_url = "${nexus.url}"\nrequests_per_minute = 100000
api_key = { source = "env", id = "X" }\nanon_key = { source = "env", id = "Y" }
[jobs.nexus-low-stock]\nschedule = "*/10 * * * * *"
[jobs.nexus-pending-orders]\nschedule = "*/10 * * * * *"\n`,
  );
const types = async (job: JobHarness) =>
  (await job.events("nexus.*")).map(({ type, subject }) => `${type.split(".").at(-1)} ${subject}`);
const runs = (job: JobHarness, count: number) => {
  const from = nexus.requests.length;
  const lastRun = job.job().lastSuccessAt;
  return job.advanceUntil(
    () => job.job().lastSuccessAt !== lastRun && nexus.requests.length >= from + count,
    "another reading",
    { stepMs: 2000 },
  );
};
const addOrders = (from: number, count: number) =>
  nexus.sql(
    `insert into orders (organization_id, order_number, order_status, total_amount)
     select $1, 'N-' || lpad(n::text, 4, '0'), 'pending', n from generate_series($2::int, $3::int) n`,
    [nexus.organizationId, from, from + count - 1],
  );

describe("pending orders", () => {
  it("are read whole although the server cuts every page at 7 rows without saying so", async () => {
    await addOrders(1, 60);
    const job = await start(nexusPendingOrders);
    await runs(job, 1);
    expect((await types(job)).sort()).toEqual(
      Array.from({ length: 60 }, (_, n) => `pending N-${String(n + 1).padStart(4, "0")}`),
    );
  });

  it("a reading that fails half way advances nothing and is repeated", async () => {
    await addOrders(1, 20);
    const job = await start(nexusPendingOrders);
    await runs(job, 1);
    const before = await types(job);
    for (const kind of ["html", "drop", "cut"] as const) {
      nexus.addFault({ kind, match: "id=gt.", times: 2, ...(kind === "cut" ? { afterBytes: 20 } : {}) });
      await runs(job, 1);
    }
    expect(await types(job)).toEqual(before);
  });

  it("no row at all where there were some is not believed", async () => {
    await addOrders(1, 3);
    const job = await start(nexusPendingOrders);
    await runs(job, 1);
    nexus.addFault({ kind: "status", match: "/rest/v1/orders", status: 200, body: [], times: -1 });
    await job.advanceUntil(() => job.job().state === "failing", "the disbelief");
    expect(job.job().lastError?.code).toBe("empty_reading");
    expect(await types(job)).toHaveLength(3);
    nexus.clearFaults();
    await runs(job, 1);
    expect(await types(job)).toHaveLength(3);
  });

  it("advance to where they went, and vanish as removed", async () => {
    await addOrders(1, 3);
    const job = await start(nexusPendingOrders);
    await runs(job, 1);
    await nexus.sql("update orders set order_status = 'shipped' where order_number = 'N-0001'");
    await nexus.sql("delete from orders where order_number = 'N-0002'");
    await runs(job, 1);
    const advanced = (await job.events("nexus.order.advanced")).map(({ subject, data }) => [
      subject,
      data.orderStatus,
      data.removed,
    ]);
    expect(advanced.sort()).toEqual([
      ["N-0001", "shipped", false],
      ["N-0002", "pending", true],
    ]);
  });
});

describe("low stock", () => {
  const setStock = (sku: string, available: number) =>
    nexus.sql(
      "update stock_balances set quantity = reserved_quantity + $1 where item_id = (select id from items where sku = $2 and organization_id = $3)",
      [available, sku, nexus.organizationId],
    );

  it("is low below the threshold, stays so up to the mark, and recovers above it; negative stock is low", async () => {
    const job = await start(nexusLowStock);
    await runs(job, 1);
    expect(await types(job)).toEqual([]);
    const edges: string[][] = [];
    for (const available of [10, 9, 12, 13, -3]) {
      await setStock("MUG-LOGO", available);
      const before = (await types(job)).length;
      await runs(job, 1);
      edges.push([...new Set((await types(job)).slice(before))]);
    }
    expect(edges).toEqual([[], ["low MUG-LOGO"], [], ["recovered MUG-LOGO"], ["low MUG-LOGO"]]);
  });

  it("another organization's rows are never seen", async () => {
    await nexus.sql("update stock_balances set quantity = reserved_quantity where organization_id <> $1", [
      nexus.organizationId,
    ]);
    const job = await start(nexusLowStock);
    await runs(job, 1);
    expect(await types(job)).toEqual([]);
  });
});

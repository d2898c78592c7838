import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import nexusConversations from "../../jobs/nexus-conversations.ts";
import nexusLowStock from "../../jobs/nexus-low-stock.ts";
import nexusPendingOrders from "../../jobs/nexus-pending-orders.ts";
import nexusShipments from "../../jobs/nexus-shipments.ts";
import { systemClock } from "../../sandbox/clock.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import type { Job } from "../../src/scheduler/job.ts";
import { type JobHarness, runJob } from "./harness.ts";

const clock = systemClock();
let nexus: NexusServer;

beforeAll(async () => {
  nexus = await startNexus({ apiKey: "nxs_ak_test", anonKey: "anon", rateLimit: null, dbMaxRows: 7, clock });
  await nexus.ready;
});
beforeEach(async () => {
  // Ten exchanges a minute, as at Nexus: each test has a minute of its own.
  clock.advance(61_000);
  nexus.clearFaults();
  await nexus.sql("update stock_balances set quantity = reserved_quantity + 50");
  await nexus.sql("truncate orders cascade");
});
afterAll(() => nexus.close());

const start = (job: Job, more = "", status = "") =>
  runJob(
    job,
    `[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]\nbase_url = "${nexus.url}"\nrequests_per_minute = 100000
api_key = { source = "env", id = "X" }\nanon_key = { source = "env", id = "Y" }
[jobs.nexus-low-stock]\nschedule = "*/10 * * * * *"
[jobs.nexus-pending-orders]\nschedule = "*/10 * * * * *"${status ? `\nstatus = "${status}"` : ""}
[jobs.nexus-conversations]\nenabled = true\nschedule = "*/10 * * * * *"
[jobs.nexus-shipments]\nenabled = true\nschedule = "*/10 * * * * *"\n${more}`,
  );
const types = async (job: JobHarness) =>
  (await job.events("nexus.*")).map(({ type, subject }) => `${type.split(".").at(-1)} ${subject}`);
/** A complete reading from now on: one in progress may have read the earlier state. */
const runs = (job: JobHarness, count: number) => {
  const from = nexus.requests.length;
  const begun = job.job().runs;
  const hasSucceeded = () => {
    const { runs, running, lastRunAt, lastSuccessAt } = job.job();
    return runs > begun && !running && (lastSuccessAt ?? "") >= (lastRunAt ?? "");
  };
  return job.advanceUntil(() => hasSucceeded() && nexus.requests.length >= from + count, "another reading", {
    stepMs: 2000,
  });
};
const addOrders = (from: number, count: number) =>
  nexus.sql(
    `insert into orders (organization_id, order_number, order_status, total_amount)
     select $1, 'N-' || lpad(n::text, 4, '0'), 'pending', n from generate_series($2::int, $3::int) n`,
    [nexus.organizationId, from, from + count - 1],
  );

describe("pending orders", () => {
  it("are read completely although the server cuts every page at 7 rows without saying so", async () => {
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

  it("an empty answer where there were rows is not believed", async () => {
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

  it("advance to their new status, and vanish as removed", async () => {
    await addOrders(1, 3);
    const job = await start(nexusPendingOrders);
    await runs(job, 1);
    await nexus.sql("update orders set order_status = 'shipped' where order_number = 'N-0001'");
    await nexus.sql("delete from orders where order_number = 'N-0002'");
    await runs(job, 1);
    const advanced = (await job.events("nexus.order.advanced")).map(({ subject, data }) => [
      subject,
      data.orderStatus,
      data.previousStatus,
      data.removed,
    ]);
    expect(advanced.sort()).toEqual([
      ["N-0001", "shipped", "pending", false],
      ["N-0002", null, "pending", true],
    ]);
  });
});

describe("low stock", () => {
  const setStock = (sku: string, available: number) =>
    nexus.sql(
      "update stock_balances set quantity = reserved_quantity + $1 where item_id = (select id from items where sku = $2 and organization_id = $3)",
      [available, sku, nexus.organizationId],
    );

  it("is low below the threshold, stays low up to the mark, and recovers above it; negative stock is low", async () => {
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

describe("conversations", () => {
  it("report when one becomes unread, each new message of a customer once, and when it was read", async () => {
    await nexus.sql("update chats set unread_count = 0");
    const [chat] = await nexus.sql("select id from chats where organization_id = $1 limit 1", [
      nexus.organizationId,
    ]);
    const write = (content: string, direction = "inbound") =>
      nexus.sql(
        "insert into messages (organization_id, chat_id, content, direction) values ($1, $2, $3, $4)",
        [nexus.organizationId, chat?.id, content, direction],
      );
    const job = await start(nexusConversations);
    await runs(job, 1);
    expect(await types(job)).toEqual([]);

    await write("where is my order?");
    await write("on its way", "outbound");
    await nexus.sql("update chats set unread_count = 1 where id = $1", [chat?.id]);
    await runs(job, 1);
    await runs(job, 1);
    await nexus.sql("update chats set unread_count = 0 where id = $1", [chat?.id]);
    await write("thank you");
    await runs(job, 1);
    expect((await types(job)).map((edge) => edge.split(" ")[0])).toEqual([
      "unread",
      "message",
      "read",
      "message",
    ]);
    const messages = await job.events("nexus.conversation.message");
    expect(messages.map(({ data }) => data.text)).toEqual(["where is my order?", "thank you"]);
  });
});

describe("shipments", () => {
  it("report when one is under way, where it is, when it ends, and each entry of its history", async () => {
    await nexus.sql("truncate awbs cascade");
    const job = await start(nexusShipments);
    await runs(job, 1);
    const [awb] = await nexus.sql(
      "insert into awbs (organization_id, awb_number, courier_name) values ($1, 'B-1', 'Bosta') returning id",
      [nexus.organizationId],
    );
    const log = (status: string) =>
      nexus.sql("insert into awb_status_logs (awb_id, status) values ($1, $2)", [awb?.id, status]);
    for (const status of ["created", "in_transit", "delivered"]) {
      await nexus.sql("update awbs set status = $2 where id = $1", [awb?.id, status]);
      await log(status);
      await runs(job, 1);
    }
    expect((await types(job)).map((edge) => edge.split(" ")[0])).toEqual([
      ...["opened", "logged"],
      ...["moved", "logged"],
      ...["closed", "logged"],
    ]);
    const [closed] = await job.events("nexus.shipment.closed");
    expect(closed?.data).toMatchObject({
      awbNumber: "B-1",
      status: "delivered",
      previousStatus: "in_transit",
    });
  });
});

describe("an unexpected schema", () => {
  /** Changes the schema for one test; PostgREST keeps its cached schema until told otherwise. */
  const change = async (there: string, back: string) => {
    await nexus.sql(there);
    onTestFinished(async () => {
      await nexus.sql(back);
    });
  };
  const setLow = () =>
    nexus.sql("update stock_balances set quantity = reserved_quantity where organization_id = $1", [
      nexus.organizationId,
    ]);

  it("stops its own watch for an hour, names the column and the setting, and resumes once it is set", async () => {
    await change(
      "alter table stock_balances rename column available_quantity to on_hand",
      "alter table stock_balances rename column on_hand to available_quantity",
    );
    await setLow();
    await addOrders(1, 1);
    const [stock, orders] = [await start(nexusLowStock), await start(nexusPendingOrders)];
    await stock.advanceUntil(() => stock.job().state === "failing", "the drift");
    const { lastError } = stock.job();
    expect(lastError?.code).toBe("schema_drift");
    expect(lastError?.message).toContain("stock_balances has no column available_quantity");
    expect(lastError?.message).toContain('columns = { "available_quantity" =');
    expect(lastError?.message).toContain("[jobs.nexus-low-stock]");
    const before = stock.job().runs;
    await stock.advance(50 * 60_000, 60_000);
    expect(stock.job().runs).toBe(before);
    await stock.advanceUntil(() => stock.job().runs > before, "the hourly try", { stepMs: 60_000 });
    await runs(orders, 1);
    expect(await types(orders)).toEqual(["pending N-0001"]);

    const told = await start(
      nexusLowStock,
      '[jobs.nexus-low-stock.columns]\navailable_quantity = "on_hand"\n"items.name" = ""\nwarehouse_id = ""\n',
    );
    await runs(told, 1);
    const [low] = await told.events("nexus.stock.low");
    expect(low?.data).toMatchObject({ availableQuantity: 0, name: null, warehouseId: null });
  });

  it("works without items.name by itself, because some databases lack it", async () => {
    await change(
      "alter table items rename column name to title",
      "alter table items rename column title to name",
    );
    await setLow();
    const job = await start(nexusLowStock);
    await runs(job, 1);
    const [low] = await job.events("nexus.stock.low");
    expect(low?.data).toMatchObject({ name: null, sku: expect.any(String) });
    expect(job.job().state).toBe("ok");
  });

  it("is reported for a missing table or value too", async () => {
    await change("alter table chats rename to threads", "alter table threads rename to chats");
    const conversations = await start(nexusConversations);
    await conversations.advanceUntil(() => conversations.job().state === "failing", "the drift");
    expect(conversations.job().lastError?.message).toContain("there is no table chats");
    const orders = await start(nexusPendingOrders, "", "processing");
    await orders.advanceUntil(() => orders.job().state === "failing", "the drift");
    expect(orders.job().lastError?.message).toContain(
      "orders does not know the value processing: set status in",
    );
  });

  it("of the shipment history says how to do without it, and shipments are still reported", async () => {
    await change(
      'alter table awb_status_logs rename column "timestamp" to created_at',
      'alter table awb_status_logs rename column created_at to "timestamp"',
    );
    await nexus.sql("truncate awbs cascade");
    const job = await start(nexusShipments);
    await nexus.sql("insert into awbs (organization_id, awb_number) values ($1, 'B-2')", [
      nexus.organizationId,
    ]);
    await job.advanceUntil(() => job.job().state === "failing", "the drift");
    expect(await types(job)).toEqual(["opened B-2"]);
    expect(job.job().lastError?.message).toContain("set history = false in [jobs.nexus-shipments]");
  });
});

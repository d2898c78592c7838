// The operations of Nexus against real PostgREST.

import { afterEach, describe, expect, test } from "vitest";
import { AGENT_TOKEN } from "../../../src/services/nexus/facts.ts";
import { type Row, refusal, useNexus } from "./nexus-bench.ts";
import { createBench, operationNamed } from "./support.ts";

const PENDING = "0a000000-0000-4000-8000-000000000505";
const FOREIGN = "0b000000-0000-4000-8000-000000000501";
const AHMED = "0a000000-0000-4000-8000-000000000401";
const CHAT = "0a000000-0000-4000-8000-000000000701";

const nexus = useNexus();

describe("orders", () => {
  const list = async (input: object) =>
    (await nexus.bench.run("nexus.orders.list", input)) as {
      orders: Row[];
      next: string | null;
      count?: number;
    };
  const numbers = async (input: object) => (await list(input)).orders.map((order) => order.order_number);

  test("are listed newest first, page by page, for the organization only", async () => {
    expect(await numbers({})).toEqual(["NX-1006", "NX-1005", "NX-1004", "NX-1003", "NX-1002", "NX-1001"]);
    const first = await list({ limit: 4, count: true });
    expect(first.count).toBe(6);
    const second = await list({ limit: 4, after: first.next });
    expect(second.orders.map((order) => order.order_number)).toEqual(["NX-1002", "NX-1001"]);
    // Shorter than the limit, it need not be the end: only an empty page proves that, or the count.
    expect(await list({ limit: 4, after: second.next })).toEqual({ orders: [], next: null });
    expect(await list({ limit: 4, after: first.next, count: true })).toMatchObject({ next: null, count: 2 });
  });

  test("include their items, with qty, on request", async () => {
    const { orders } = await list({ orderNumber: "NX-1004", items: true });
    expect(orders).toMatchObject([{ order_items: [{ qty: 1 }, { qty: 1 }] }]);
    const { order } = (await nexus.bench.run("nexus.orders.get", { orderId: PENDING, items: true })) as {
      order: Row;
    };
    expect(order.order_items).toMatchObject([{ sku: "TSHIRT-L-BLK", qty: 1 }]);
    expect(await nexus.bench.run("nexus.order_items.list", { orderId: PENDING })).toMatchObject({
      items: [{ sku: "TSHIRT-L-BLK", qty: 1 }],
    });
  });

  test("are filtered by status, customer, number and time, whatever the values contain", async () => {
    expect(await numbers({ orderStatus: "confirmed" })).toEqual(["NX-1004", "NX-1003"]);
    expect(await numbers({ customerId: AHMED })).toEqual(["NX-1004", "NX-1001"]);
    const odd = 'a,b"c".(d)+e%&order=x';
    await nexus.server.sql(
      "insert into orders (organization_id, order_number, created_at) values ($1, $2, $3)",
      [nexus.server.organizationId, odd, "2020-05-01T10:00:00+02:00"],
    );
    expect(await numbers({ orderNumber: odd })).toEqual([odd]);
    const time = { createdFrom: "2020-05-01T10:00:00+02:00", createdTo: "2020-05-01T08:00:01Z" };
    expect(await numbers(time)).toEqual([odd]);
    expect(await numbers({ ...time, createdTo: "2020-05-01T08:00:00Z" })).toEqual([]);
    await nexus.server.sql("delete from orders where order_number = $1", [odd]);
  });

  test("one is shown by its id; another organization's is not found", async () => {
    const shown = await nexus.bench.run("nexus.orders.get", { orderId: PENDING.toUpperCase() });
    expect(shown).toMatchObject({ order: { order_number: "NX-1005" } });
    const error = await refusal(nexus.bench.run("nexus.orders.get", { orderId: FOREIGN }));
    expect(error).toMatchObject({ name: "OperationError", code: "no_row_matched" });
  });
});

describe("changing the status of an order", () => {
  const name = "nexus.orders.update_status";
  const input = { orderId: PENDING, orderStatus: "confirmed" };
  const statusNow = async () =>
    (await nexus.server.sql("select order_status::text as s from orders where id = $1", [PENDING]))[0]?.s;

  afterEach(() => nexus.server.sql("update orders set order_status = 'pending' where id = $1", [PENDING]));

  test("is one PATCH of one row, guarded against none and several", () => {
    expect(nexus.bench.request(name, input)).toEqual({
      method: "PATCH",
      origin: nexus.server.url,
      path: `/rest/v1/orders?id=eq.${PENDING}`,
      label: "PATCH /rest/v1/orders",
      headers: { accept: "application/vnd.pgrst.object+json", prefer: "return=representation" },
      json: { order_status: "confirmed" },
      credential: AGENT_TOKEN,
    });
  });

  test("is done, and returns the row", async () => {
    expect(await nexus.bench.run(name, input)).toMatchObject({
      order: { id: PENDING, order_status: "confirmed" },
    });
    expect(await statusNow()).toBe("confirmed");
  });

  test("shows the status before, and detects a change by others", async () => {
    const before = await nexus.bench.precondition(name, input);
    expect(before).toEqual({ orderNumber: "NX-1005", orderStatus: "pending" });
    await nexus.server.sql("update orders set order_status = 'cancelled' where id = $1", [PENDING]);
    expect(await nexus.bench.precondition(name, input)).not.toEqual(before);
  });

  test("another organization's order fails as no_row_matched, at the proposal and on the wire", async () => {
    const foreign = { ...input, orderId: FOREIGN };
    expect(await refusal(nexus.bench.precondition(name, foreign) as Promise<unknown>)).toMatchObject({
      code: "no_row_matched",
    });
    const sending = nexus.bench.sender.writeOnce(
      nexus.bench.request(name, foreign),
      AbortSignal.timeout(60_000),
    );
    expect(await refusal(sending)).toMatchObject({ status: 406, code: "no_row_matched", retryable: false });
    const [row] = await nexus.server.sql("select order_status::text as s from orders where id = $1", [
      FOREIGN,
    ]);
    expect(row?.s).toBe("pending");
  });

  test("a 2xx without a row is not a success", () => {
    const { output } = operationNamed(name);
    const answer = (body: unknown) => ({ status: 200, headers: {}, body });
    expect(() => output(answer([]), input)).toThrow(expect.objectContaining({ code: "no_row_matched" }));
    expect(output(answer([{ id: 1 }]), input)).toEqual({ order: { id: 1 } });
    expect(output(answer(undefined), input)).toEqual({ order: null });
  });

  test.each(["done", "lost_in_space", "Pending", "", null, 1])(
    "an unknown status (%j) is refused before any request, with the six valid ones",
    async (orderStatus) => {
      const before = nexus.server.requests.length;
      const { message } = await refusal(nexus.bench.run(name, { ...input, orderStatus }));
      for (const status of ["pending", "confirmed", "fulfilling", "shipped", "delivered", "cancelled"])
        expect(message).toContain(status);
      expect(nexus.server.requests).toHaveLength(before);
    },
  );

  test("is read back if its answer is lost", async () => {
    const long = Date.now() + 10 * 60_000;
    await nexus.server.sql("update orders set updated_at = now() where id = $1", [PENDING]);
    expect(await nexus.bench.readBack(name, input, long)).toEqual({ kind: "not_found" });
    // Another client touched the order at about this time: the new status may have been there and gone.
    expect(await nexus.bench.readBack(name, input, Date.now())).toEqual({ kind: "cannot_tell" });
    nexus.server.addFault({ kind: "drop", match: "PATCH", afterHandling: true });
    expect(await refusal(nexus.bench.run(name, input))).toMatchObject({ maybeSent: true });
    expect(await nexus.bench.readBack(name, input, Date.now())).toMatchObject({
      kind: "done",
      output: { order: { order_status: "confirmed" } },
    });
  });
});

test("stock is shown for a SKU, in every warehouse of the organization", async () => {
  const { balances } = (await nexus.bench.run("nexus.stock.get", { sku: "TSHIRT-M-BLK" })) as {
    balances: Row[];
  };
  expect(balances).toHaveLength(2);
  for (const balance of balances) {
    expect(balance).toMatchObject({
      items: { sku: "TSHIRT-M-BLK" },
      organization_id: nexus.server.organizationId,
    });
  }
  expect(await nexus.bench.run("nexus.stock.get", { sku: "TSHIRT*" })).toEqual({
    balances: [],
    next: null,
    count: 0,
  });
});

describe("customers", () => {
  const search = async (input: object) =>
    ((await nexus.bench.run("nexus.customers.search", input)) as { customers: Row[] }).customers;

  test("are found by phone, with the plus encoded, and by e-mail", async () => {
    const byPhone = { phoneNumber: "+201005550101" };
    expect(nexus.bench.request("nexus.customers.search", byPhone).path).toContain(
      "phone_number=eq.%2B201005550101",
    );
    expect(await search(byPhone)).toMatchObject([{ id: AHMED }]);
    expect(await search({ email: "salma@example.com" })).toMatchObject([{ first_name: "Salma" }]);
    expect(await search({ ...byPhone, email: "salma@example.com" })).toEqual([]);
    // Visible only to the other organization.
    expect(await search({ phoneNumber: "+31205550199" })).toEqual([]);
  });

  test("one is created with all given fields, for the key's organization", async () => {
    const input = {
      firstName: 'O\'Connor, "Sally" (work)',
      phoneNumber: "+201005559901",
      email: "sally+shop@example.com",
      address: { line1: "4 Corniche", city: "Alexandria" },
      tags: ["vip", "a,b", 'say "hi"'],
    };
    expect(await nexus.bench.run("nexus.customers.create", input)).toMatchObject({
      customer: {
        organization_id: nexus.server.organizationId,
        first_name: 'O\'Connor, "Sally" (work)',
        last_name: null,
        address: { line1: "4 Corniche", city: "Alexandria" },
        tags: ["vip", "a,b", 'say "hi"'],
      },
    });
    expect(await search({ email: "sally+shop@example.com" })).toHaveLength(1);
  });

  test("a creation in doubt is looked up by phone and e-mail", async () => {
    const name = "nexus.customers.create";
    const input = { firstName: "Lost", phoneNumber: "+201005559902" };
    expect(await nexus.bench.readBack(name, input, Date.now() - 1000)).toEqual({ kind: "not_found" });
    nexus.server.addFault({ kind: "drop", match: "POST", afterHandling: true });
    const startedAt = Date.now() - 1000;
    expect(await refusal(nexus.bench.run(name, input))).toMatchObject({ maybeSent: true });
    expect(await nexus.bench.readBack(name, input, startedAt)).toMatchObject({
      kind: "done",
      output: { customer: { first_name: "Lost" } },
    });
    // The existing one is older than this one.
    expect(await nexus.bench.readBack(name, input, Date.now() + 60_000)).toEqual({ kind: "cannot_tell" });
    expect(await nexus.bench.readBack(name, { firstName: "Lost" }, 0)).toEqual({ kind: "cannot_tell" });
  });

  test("the tags of one are replaced as a whole", async () => {
    const input = { customerId: AHMED, tags: ["vip", "x,{y}"] };
    const before = await nexus.bench.precondition("nexus.customers.update_tags", input);
    expect(before).toEqual({ firstName: "Ahmed", lastName: "Hassan", tags: ["vip", "repeat-buyer"] });
    expect(await nexus.bench.run("nexus.customers.update_tags", input)).toMatchObject({
      customer: { id: AHMED, tags: ["vip", "x,{y}"] },
    });
    expect(await nexus.bench.precondition("nexus.customers.update_tags", input)).not.toEqual(before);
    expect(await nexus.bench.readBack("nexus.customers.update_tags", input, 0)).toMatchObject({
      kind: "done",
    });
    expect(await nexus.bench.readBack("nexus.customers.update_tags", { ...input, tags: [] }, 0)).toEqual({
      kind: "cannot_tell",
    });
    const foreign = { customerId: "0b000000-0000-4000-8000-000000000401", tags: [] };
    expect(await refusal(nexus.bench.run("nexus.customers.update_tags", foreign))).toMatchObject({
      code: "no_row_matched",
    });
  });

  test("are listed newest first, and one is shown by its id", async () => {
    const { customers } = (await nexus.bench.run("nexus.customers.list", {
      createdTo: "2100-01-01T00:00:00Z",
    })) as {
      customers: Row[];
    };
    const times = customers.map((customer) => Date.parse(String(customer.created_at)));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect(customers.length).toBeGreaterThan(4);
    expect(await nexus.bench.run("nexus.customers.get", { customerId: AHMED })).toMatchObject({
      customer: { first_name: "Ahmed" },
    });
    const foreign = { customerId: "0b000000-0000-4000-8000-000000000401" };
    expect(await refusal(nexus.bench.run("nexus.customers.get", foreign))).toMatchObject({
      code: "no_row_matched",
    });
  });
});

describe("WhatsApp", () => {
  const name = "nexus.whatsapp.send_message";

  test("a message is sent once, to the recipient shown in the proposal", async () => {
    const input = { chatId: CHAT, message: "It is. 👕\nShall we?" };
    expect(await nexus.bench.precondition(name, input)).toEqual({
      contactName: "Ahmed Hassan",
      contactPhone: "+201005550101",
    });
    expect(await nexus.bench.run(name, input)).toMatchObject({ success: true });
    expect(await nexus.actions("whatsapp-send-message")).toEqual([
      { chatId: CHAT, message: "It is. 👕\nShall we?", organizationId: nexus.server.organizationId },
    ]);
  });

  test("one in doubt is looked up in the chat; if not seen, it stays unknown", async () => {
    const input = { chatId: CHAT, message: "Still there?" };
    expect(await nexus.bench.readBack(name, input, Date.now() - 1000)).toEqual({ kind: "cannot_tell" });
    nexus.server.addFault({ kind: "status", status: 546, match: "POST /functions", afterHandling: true });
    const startedAt = Date.now() - 1000;
    expect(await refusal(nexus.bench.run(name, input))).toMatchObject({ status: 546 });
    expect(await nexus.bench.readBack(name, input, startedAt)).toMatchObject({
      kind: "done",
      output: { content: "Still there?" },
    });
  });

  test("a chat of another platform is refused beforehand", async () => {
    const input = { chatId: "0a000000-0000-4000-8000-000000000702", message: "hi" };
    expect(await refusal(nexus.bench.run(name, input))).toMatchObject({ code: "refused" });
  });

  test("cannot be written for an unknown organization", () => {
    const other = createBench({ nexus: nexus.server.url });
    const input = { chatId: CHAT, message: "hi" };
    expect(() => other.request(name, input)).toThrow(
      expect.objectContaining({ code: "service_unavailable" }),
    );
  });
});

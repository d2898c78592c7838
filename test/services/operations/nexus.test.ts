// The operations of Nexus against real PostgREST.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SANDBOX_ENV } from "../../../sandbox/args.ts";
import { type NexusServer, startNexus } from "../../../sandbox/nexus.ts";
import type { OperationError } from "../../../src/services/operation.ts";
import { type Bench, createBench, operationNamed } from "./support.ts";

const PENDING = "0a000000-0000-4000-8000-000000000505";
const FOREIGN = "0b000000-0000-4000-8000-000000000501";
const AHMED = "0a000000-0000-4000-8000-000000000401";
const CHAT = "0a000000-0000-4000-8000-000000000701";

let server: NexusServer;
let bench: Bench;

beforeAll(async () => {
  server = await startNexus({
    apiKey: SANDBOX_ENV.NEXUS_API_KEY,
    anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    rateLimit: null,
  });
  bench = createBench({
    nexus: server.url,
    nexusApiKey: SANDBOX_ENV.NEXUS_API_KEY,
    nexusAnonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
  });
  await server.ready;
  expect(await bench.learnOrganization()).toBe(server.organizationId);
});
afterAll(() => server.close());
afterEach(() => server.clearFaults());

type Row = Record<string, unknown>;
const refusal = (promise: Promise<unknown>): Promise<OperationError> =>
  promise.then(
    () => Promise.reject(new Error("it was not refused")),
    (error) => error,
  );

describe("orders", () => {
  const list = async (input: object) =>
    (await bench.run("nexus.orders.list", input)) as { orders: Row[]; nextOffset: number | null };
  const numbers = async (input: object) => (await list(input)).orders.map((order) => order.order_number);

  test("are listed newest first, page by page, those of the organization only", async () => {
    expect(await numbers({})).toEqual(["NX-1006", "NX-1005", "NX-1004", "NX-1003", "NX-1002", "NX-1001"]);
    const page = await list({ limit: 4 });
    expect(page.nextOffset).toBe(4);
    expect((await list({ limit: 4, offset: page.nextOffset })).nextOffset).toBeNull();
  });

  test("are filtered by status, customer, number and time, whatever is in the values", async () => {
    expect(await numbers({ orderStatus: "confirmed" })).toEqual(["NX-1004", "NX-1003"]);
    expect(await numbers({ customerId: AHMED })).toEqual(["NX-1004", "NX-1001"]);
    const odd = 'a,b"c".(d)+e%&order=x';
    await server.sql("insert into orders (organization_id, order_number, created_at) values ($1, $2, $3)", [
      server.organizationId,
      odd,
      "2020-05-01T10:00:00+02:00",
    ]);
    expect(await numbers({ orderNumber: odd })).toEqual([odd]);
    const time = { createdFrom: "2020-05-01T10:00:00+02:00", createdTo: "2020-05-01T08:00:01Z" };
    expect(await numbers(time)).toEqual([odd]);
    expect(await numbers({ ...time, createdTo: "2020-05-01T08:00:00Z" })).toEqual([]);
    await server.sql("delete from orders where order_number = $1", [odd]);
  });

  test("one is shown by its id; one of another organization is not there", async () => {
    const shown = await bench.run("nexus.orders.get", { orderId: PENDING.toUpperCase() });
    expect(shown).toMatchObject({ order: { order_number: "NX-1005" } });
    const error = await refusal(bench.run("nexus.orders.get", { orderId: FOREIGN }));
    expect(error).toMatchObject({ name: "OperationError", code: "no_row_matched" });
  });
});

describe("changing the status of an order", () => {
  const name = "nexus.orders.update_status";
  const input = { orderId: PENDING, orderStatus: "confirmed" };
  const statusNow = async () =>
    (await server.sql("select order_status::text as s from orders where id = $1", [PENDING]))[0]?.s;

  afterEach(() => server.sql("update orders set order_status = 'pending' where id = $1", [PENDING]));

  test("is one PATCH of one row, guarded against none and several", () => {
    expect(bench.request(name, input)).toEqual({
      method: "PATCH",
      origin: server.url,
      path: `/rest/v1/orders?id=eq.${PENDING}`,
      label: "PATCH /rest/v1/orders",
      headers: { accept: "application/vnd.pgrst.object+json", prefer: "return=representation" },
      json: { order_status: "confirmed" },
      credential: { kind: "nexus" },
    });
  });

  test("is done, and shows the row", async () => {
    expect(await bench.run(name, input)).toMatchObject({ order: { id: PENDING, order_status: "confirmed" } });
    expect(await statusNow()).toBe("confirmed");
  });

  test("shows the status before, and that somebody else has changed it", async () => {
    const before = await bench.precondition(name, input);
    expect(before).toEqual({ orderNumber: "NX-1005", orderStatus: "pending" });
    await server.sql("update orders set order_status = 'cancelled' where id = $1", [PENDING]);
    expect(await bench.precondition(name, input)).not.toEqual(before);
  });

  test("an order that is not ours fails as no_row_matched, at the proposal and on the wire", async () => {
    const foreign = { ...input, orderId: FOREIGN };
    expect(await refusal(bench.precondition(name, foreign) as Promise<unknown>)).toMatchObject({
      code: "no_row_matched",
    });
    const sending = bench.sender.writeOnce(bench.request(name, foreign), AbortSignal.timeout(5000));
    expect(await refusal(sending)).toMatchObject({ status: 406, code: "no_row_matched", retryable: false });
    const [row] = await server.sql("select order_status::text as s from orders where id = $1", [FOREIGN]);
    expect(row?.s).toBe("pending");
  });

  test("a 2xx with no row in it is no success", () => {
    const { output } = operationNamed(name);
    const answer = (body: unknown) => ({ status: 200, headers: {}, body });
    expect(() => output(answer([]), input)).toThrow(expect.objectContaining({ code: "no_row_matched" }));
    expect(output(answer([{ id: 1 }]), input)).toEqual({ order: { id: 1 } });
    expect(output(answer(undefined), input)).toEqual({ order: null });
  });

  test("a status that Nexus does not know is refused by it, and nothing is changed", async () => {
    const sending = bench.run(name, { ...input, orderStatus: "lost_in_space" });
    expect(await refusal(sending)).toMatchObject({ status: 400, code: "22P02" });
    expect(await statusNow()).toBe("pending");
  });

  test("when its answer is lost it is read back", async () => {
    const long = Date.now() + 10 * 60_000;
    await server.sql("update orders set updated_at = now() where id = $1", [PENDING]);
    expect(await bench.readBack(name, input, long)).toEqual({ kind: "not_found" });
    // Somebody touched the order at about this time: the new status may have been there and gone.
    expect(await bench.readBack(name, input, Date.now())).toEqual({ kind: "cannot_tell" });
    server.addFault({ kind: "drop", match: "PATCH", afterHandling: true });
    expect(await refusal(bench.run(name, input))).toMatchObject({ maybeSent: true });
    expect(await bench.readBack(name, input, Date.now())).toMatchObject({
      kind: "done",
      output: { order: { order_status: "confirmed" } },
    });
  });
});

test("stock is shown for a SKU, in every warehouse of the organization", async () => {
  const { balances } = (await bench.run("nexus.stock.get", { sku: "TSHIRT-M-BLK" })) as { balances: Row[] };
  expect(balances).toHaveLength(2);
  for (const balance of balances) {
    expect(balance).toMatchObject({ items: { sku: "TSHIRT-M-BLK" }, organization_id: server.organizationId });
  }
  expect(await bench.run("nexus.stock.get", { sku: "TSHIRT*" })).toEqual({ balances: [] });
});

describe("customers", () => {
  const search = async (input: object) =>
    ((await bench.run("nexus.customers.search", input)) as { customers: Row[] }).customers;

  test("are found by phone, the plus encoded, and by e-mail", async () => {
    const byPhone = { phoneNumber: "+201005550101" };
    expect(bench.request("nexus.customers.search", byPhone).path).toContain(
      "phone_number=eq.%2B201005550101",
    );
    expect(await search(byPhone)).toMatchObject([{ id: AHMED }]);
    expect(await search({ email: "salma@example.com" })).toMatchObject([{ first_name: "Salma" }]);
    expect(await search({ ...byPhone, email: "salma@example.com" })).toEqual([]);
    // Visible to nobody but the other organization.
    expect(await search({ phoneNumber: "+31205550199" })).toEqual([]);
  });

  test("one is created with everything that was given, for the organization of the key", async () => {
    const input = {
      firstName: 'O\'Connor, "Sally" (work)',
      phoneNumber: "+201005559901",
      email: "sally+shop@example.com",
      address: { line1: "4 Corniche", city: "Alexandria" },
      tags: ["vip", "a,b", 'say "hi"'],
    };
    expect(await bench.run("nexus.customers.create", input)).toMatchObject({
      customer: {
        organization_id: server.organizationId,
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
    expect(await bench.readBack(name, input, Date.now() - 1000)).toEqual({ kind: "not_found" });
    server.addFault({ kind: "drop", match: "POST", afterHandling: true });
    const startedAt = Date.now() - 1000;
    expect(await refusal(bench.run(name, input))).toMatchObject({ maybeSent: true });
    expect(await bench.readBack(name, input, startedAt)).toMatchObject({
      kind: "done",
      output: { customer: { first_name: "Lost" } },
    });
    // The one that is there is older than this one.
    expect(await bench.readBack(name, input, Date.now() + 60_000)).toEqual({ kind: "cannot_tell" });
    expect(await bench.readBack(name, { firstName: "Lost" }, 0)).toEqual({ kind: "cannot_tell" });
  });

  test("the tags of one are replaced as a whole", async () => {
    const input = { customerId: AHMED, tags: ["vip", "x,{y}"] };
    for (const _ of ["once", "twice"])
      expect(await bench.run("nexus.customers.update_tags", input)).toMatchObject({
        customer: { id: AHMED, tags: ["vip", "x,{y}"] },
      });
    const foreign = { customerId: "0b000000-0000-4000-8000-000000000401", tags: [] };
    expect(await refusal(bench.run("nexus.customers.update_tags", foreign))).toMatchObject({
      code: "no_row_matched",
    });
  });
});

describe("WhatsApp", () => {
  const name = "nexus.whatsapp.send_message";
  const sent = async () =>
    ((await (await fetch(`${server.url}/_control`)).json()) as { whatsapp: object[] }).whatsapp;

  test("a message is sent once, to whom the proposal showed", async () => {
    const input = { chatId: CHAT, message: "It is. 👕\nShall we?" };
    expect(await bench.precondition(name, input)).toEqual({
      contactName: "Ahmed Hassan",
      contactPhone: "+201005550101",
    });
    expect(await bench.run(name, input)).toMatchObject({ success: true });
    expect(await sent()).toEqual([
      { chatId: CHAT, message: "It is. 👕\nShall we?", organizationId: server.organizationId },
    ]);
  });

  test("one in doubt is looked for in the chat; not seen is not known", async () => {
    const input = { chatId: CHAT, message: "Still there?" };
    expect(await bench.readBack(name, input, Date.now() - 1000)).toEqual({ kind: "cannot_tell" });
    server.addFault({ kind: "status", status: 546, match: "POST /functions", afterHandling: true });
    const startedAt = Date.now() - 1000;
    expect(await refusal(bench.run(name, input))).toMatchObject({ status: 546 });
    expect(await bench.readBack(name, input, startedAt)).toMatchObject({
      kind: "done",
      output: { content: "Still there?" },
    });
  });

  test("a chat of another platform is refused before", async () => {
    const input = { chatId: "0a000000-0000-4000-8000-000000000702", message: "hi" };
    expect(await refusal(bench.run(name, input))).toMatchObject({ code: "refused" });
  });

  test("cannot be written for an organization that is not known", () => {
    const other = createBench({ nexus: server.url });
    const input = { chatId: CHAT, message: "hi" };
    expect(() => other.request(name, input)).toThrow(
      expect.objectContaining({ code: "service_unavailable" }),
    );
  });
});

// Every read of Nexus against real PostgREST: what it shows, in which order, and how it is paged.

import { describe, expect, test } from "vitest";
import { type Row, refusal, useNexus } from "./nexus-bench.ts";
import { operationNamed } from "./support.ts";

const nexus = useNexus();
const run = (name: string, input: object = {}) => nexus.bench.run(name, input);

const ID = (end: string) => `0a000000-0000-4000-8000-000000000${end}`;
const CHAT = ID("701");
const AWB = ID("601");

/** All rows of a list, page by page, until an empty page. */
async function allOf(name: string, field: string, input: object): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | null = null, pages = 0; pages < 500; pages++) {
    const page = (await run(name, { ...input, ...(after === null ? {} : { after }) })) as Record<
      string,
      unknown
    >;
    const found = page[field] as Row[];
    rows.push(...found);
    after = page.next as string | null;
    if (after === null) {
      expect(found).toEqual([]);
      return rows;
    }
  }
  throw new Error("the list has no end");
}

describe("paging", () => {
  const ids = (rows: Row[]) => rows.map(({ id }) => id);

  test("returns every row once, in order, including NULLs and equal times, whatever the page size", async () => {
    const { server } = nexus;
    await server.sql(
      `insert into chats (organization_id, platform, contact_name, last_message_time)
       select $1, 'facebook', 'paged',
         case when n % 3 = 0 then null else timestamptz '2026-01-01' + (n / 4) * interval '1 microsecond' end
       from generate_series(1, 30) as n`,
      [server.organizationId],
    );
    const expected = await server.sql(
      `select id from chats where organization_id = $1 and platform = 'facebook'
       order by last_message_time desc nulls last, id desc`,
      [server.organizationId],
    );
    for (const limit of [1, 7, 100])
      expect(ids(await allOf("nexus.chats.list", "chats", { platform: "facebook", limit }))).toEqual(
        ids(expected),
      );
    for (const order of [
      [{ column: "last_message_time" }],
      [{ column: "last_message_time", descending: true }],
    ]) {
      const filters = [{ column: "platform", operator: "eq", value: "facebook" }];
      const rows = await allOf("nexus.rest.select", "rows", { table: "chats", filters, order, limit: 4 });
      expect(new Set(ids(rows))).toEqual(new Set(ids(expected)));
      expect(rows).toHaveLength(30);
    }
    await server.sql("delete from chats where contact_name = 'paged'");
  });

  test("neither hides nor repeats a row while others come and go", async () => {
    const { server } = nexus;
    await server.sql(
      `insert into orders (organization_id, order_number, created_at)
       select $1, 'P-' || n, timestamptz '2025-01-01' + n * interval '1 second' from generate_series(1, 40) as n`,
      [server.organizationId],
    );
    const period = { createdFrom: "2025-01-01T00:00:00Z", createdTo: "2025-02-01T00:00:00Z" };
    const seen: unknown[] = [];
    let after: string | null = null;
    for (let page = 0; ; page++) {
      const answer = (await run("nexus.orders.list", {
        ...period,
        limit: 10,
        ...(after === null ? {} : { after }),
      })) as { orders: Row[]; next: string | null };
      seen.push(...answer.orders.map((order) => order.order_number));
      after = answer.next;
      if (after === null) break;
      // A newer one arrives, and one that was shown already leaves.
      await server.sql(
        "insert into orders (organization_id, order_number, created_at) values ($1, $2, '2025-01-20')",
        [server.organizationId, `Q-${page}`],
      );
      await server.sql("delete from orders where order_number = $1", [`P-${40 - page * 10}`]);
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => `P-${40 - index}`));
    await server.sql("delete from orders where order_number similar to '(P|Q)-%'");
  });

  test("a cursor of another list is refused before any request", async () => {
    const { next } = (await run("nexus.orders.list", { limit: 1 })) as { next: string };
    expect((await refusal(run("nexus.chats.list", { after: next }))).message).toContain("same order");
    await expect(run("nexus.awbs.list", { after: next })).resolves.toBeDefined();
  });
});

describe("more rows than the server returns at once", () => {
  const ORDER = ID("505");

  test("an order of 131 lines is listed to its end, and shown with the position of the rest", async () => {
    const { server } = nexus;
    await server.sql(
      "insert into order_items (order_id, sku, name, qty) select $1, 'LINE-' || n, 'line', 1 from generate_series(1, 130) as n",
      [ORDER],
    );
    const first = (await run("nexus.order_items.list", { orderId: ORDER })) as { items: Row[]; next: string };
    expect(first).toMatchObject({ count: 131, next: expect.any(String) });
    expect(first.items).toHaveLength(100);
    const second = await run("nexus.order_items.list", { orderId: ORDER, after: first.next });
    expect(second).toMatchObject({ count: 31, next: null });
    const { items } = second as { items: Row[] };
    expect(new Set([...first.items, ...items].map(({ id }) => id)).size).toBe(131);

    const { order } = (await run("nexus.orders.get", { orderId: ORDER, items: true })) as { order: Row };
    const { orders } = (await run("nexus.orders.list", { items: true, limit: 6 })) as { orders: Row[] };
    for (const shown of [order, orders.find(({ id }) => id === ORDER)]) {
      expect(shown).toMatchObject({ order_items_count: 131, order_items_next: expect.any(String) });
      expect(shown?.order_items).toEqual(first.items);
      const rest = { orderId: ORDER, after: shown?.order_items_next };
      expect(await run("nexus.order_items.list", rest)).toEqual(second);
    }
    for (const other of orders.filter(({ id }) => id !== ORDER))
      expect(other).toMatchObject({
        order_items_count: (other.order_items as Row[]).length,
        order_items_next: null,
      });
    await server.sql("delete from order_items where sku like 'LINE-%'");
  });

  test("an item's stock in 130 warehouses is complete", async () => {
    const { server } = nexus;
    await server.sql(
      `with made as (
         insert into warehouses (organization_id, name) select $1, 'many' from generate_series(1, 128) returning id)
       insert into stock_balances (organization_id, item_id, warehouse_id) select $1, $2, id from made`,
      [server.organizationId, ID("101")],
    );
    const sku = "TSHIRT-M-BLK";
    const first = (await run("nexus.stock.get", { sku })) as { balances: Row[]; next: string };
    expect(first).toMatchObject({ count: 130, next: expect.any(String) });
    const second = (await run("nexus.stock.get", { sku, after: first.next })) as { balances: Row[] };
    expect(second).toMatchObject({ count: 30, next: null });
    expect(first.balances.length + second.balances.length).toBe(130);
    await server.sql(
      "delete from stock_balances where warehouse_id in (select id from warehouses where name = 'many')",
    );
    await server.sql("delete from warehouses where name = 'many'");
  });

  test("all customers with one address are found", async () => {
    const { server } = nexus;
    await server.sql(
      "insert into customers (organization_id, first_name, email) select $1, 'C' || n, 'many@example.com' from generate_series(1, 105) as n",
      [server.organizationId],
    );
    const email = "many@example.com";
    const first = (await run("nexus.customers.search", { email })) as { customers: Row[]; next: string };
    expect(first).toMatchObject({ count: 105, next: expect.any(String) });
    const second = (await run("nexus.customers.search", { email, after: first.next })) as {
      customers: Row[];
    };
    expect(second).toMatchObject({ next: null });
    expect(first.customers.length + second.customers.length).toBe(105);
    await server.sql("delete from customers where email = $1", [email]);
  });

  test("if the server does not count, the answer says where the rest of an order may begin", async () => {
    const answer = { status: 200, headers: {}, body: [{ id: ORDER, order_items: [{ id: ID("1") }] }] };
    const output = operationNamed("nexus.orders.get").output(answer, { orderId: ORDER, items: true });
    expect(output).toMatchObject({ order: { order_items_next: expect.any(String) } });
  });
});

test("stock is listed by item in all warehouses, by warehouse, and below a quantity, lowest first", async () => {
  const list = async (input: object) =>
    ((await run("nexus.stock.list", input)) as { balances: Row[] }).balances;
  const item = await list({ itemId: ID("101") });
  expect(item.map(({ warehouse_id }) => warehouse_id).toSorted()).toEqual([ID("201"), ID("202")]);
  expect(item).toMatchObject([{ items: { sku: "TSHIRT-M-BLK" } }, {}]);
  expect(await list({ warehouseId: ID("202"), limit: 100 })).toHaveLength(12);
  const low = await list({ below: 15 });
  expect(low.map(({ available_quantity }) => available_quantity)).toEqual([12, 13, 14]);
  expect(await list({ below: 0 })).toEqual([]);
});

test("items and warehouses are listed for the organization only", async () => {
  expect(await run("nexus.items.list", { sku: "TSHIRT-M-BLK" })).toMatchObject({
    items: [{ id: ID("101"), name: "T-shirt, black, M" }],
  });
  const { items } = (await run("nexus.items.list", { category: "T-shirts", isActive: true })) as {
    items: Row[];
  };
  expect(items).toHaveLength(4);
  expect(await run("nexus.items.list", { isActive: false })).toMatchObject({ items: [], next: null });
  expect(await run("nexus.warehouses.list")).toMatchObject({ warehouses: [{ name: "Cairo Main" }, {}] });
});

test("conversations are listed by open, unread, platform or phone number", async () => {
  const names = async (input: object) =>
    ((await run("nexus.chats.list", input)) as { chats: Row[] }).chats.map((chat) => chat.contact_name);
  expect(await names({})).toEqual(["Ahmed Hassan", "Mona Adel"]);
  expect(await names({ unread: true })).toEqual(["Ahmed Hassan"]);
  expect(await names({ platform: "instagram" })).toEqual(["Mona Adel"]);
  expect(await names({ contactPhone: "+201005550101" })).toEqual(["Ahmed Hassan"]);
  expect(await names({ isArchived: true })).toEqual([]);
});

test("messages of one conversation are listed by timestamp", async () => {
  const { messages } = (await run("nexus.messages.list", { chatId: CHAT })) as { messages: Row[] };
  expect(messages.map(({ direction }) => direction)).toEqual(["inbound", "outbound"]);
  const inbound = { chatId: CHAT, direction: "inbound", sentFrom: "2020-01-01T00:00:00+02:00" };
  expect(await run("nexus.messages.list", inbound)).toMatchObject({
    messages: [{ content: "Is the black one in stock?" }],
  });
  const foreign = { chatId: "0b000000-0000-4000-8000-000000000701" };
  expect(await run("nexus.messages.list", foreign)).toMatchObject({ messages: [] });
});

test("shipments are listed and shown, with their history", async () => {
  expect(await run("nexus.awbs.list", { status: "in_transit", orderId: ID("502") })).toMatchObject({
    awbs: [{ awb_number: "AWB-70001" }],
  });
  expect(await run("nexus.awbs.list", { awbNumber: "AWB-90001" })).toMatchObject({ awbs: [] });
  expect(await run("nexus.awbs.get", { awbId: AWB })).toMatchObject({ awb: { courier_name: "Bosta" } });
  const { logs } = (await run("nexus.awb_status_logs.list", { awbId: AWB })) as { logs: Row[] };
  expect(logs.map(({ status }) => status)).toEqual(["in_transit", "picked_up", "created"]);
});

test("calls are listed by customer, direction and outcome", async () => {
  const input = { customerId: ID("402"), direction: "inbound", status: "answered" };
  expect(await run("nexus.call_logs.list", input)).toMatchObject({ calls: [{ duration_seconds: 184 }] });
  expect(await run("nexus.call_logs.list", { status: "missed" })).toMatchObject({ calls: [] });
});

test("invitations are listed by their function", async () => {
  expect(await run("nexus.invites.list")).toEqual({ invites: [] });
});

test.each([
  "constructor",
  "__proto__",
  "prototype",
  "hasownproperty",
  "valueof",
  "__definegetter__",
  "__lookupgetter__",
])("nexus.rest.select treats a column named %s as unknown to Nexus, wherever it is used", async (column) => {
  const filter = { column, operator: "eq", value: "x" };
  for (const input of [
    { columns: [column] },
    { filters: [filter, filter] },
    { order: [{ column }] },
    { key: column },
  ])
    expect(await refusal(run("nexus.rest.select", { table: "items", ...input }))).toMatchObject({
      code: "42703",
      status: 400,
    });
  expect(await refusal(run("nexus.rest.select", { table: column }))).toMatchObject({ status: 404 });
});

describe("a long query", () => {
  const select = (value: string[], operator = { operator: "in" }) =>
    run("nexus.rest.select", { table: "customers", filters: [{ column: "first_name", ...operator, value }] });
  const names = (length: number, letters: string) =>
    Array.from({ length }, (_, n) => `${letters} ${String(n).padStart(3, "0")}`);

  test.each([
    ["80 Arabic names", names(80, "محمد عبد الرحمن الطويل")],
    ["100 Chinese names", names(100, "欧阳上官司马诸葛东方")],
    ["100 names with emoji", names(100, "👩‍🚀 Ada")],
    ["100 names of ASCII", names(100, "Bartholomew Featherstonehaugh")],
  ])("of %s is answered", async (_, value) => {
    const { server } = nexus;
    await server.sql("insert into customers (organization_id, first_name) values ($1, $2)", [
      server.organizationId,
      value[7],
    ]);
    expect(await select(value)).toMatchObject({ rows: [{ first_name: value[7] }] });
    // As many call it.
    expect(await select(value, { op: "in" } as never)).toMatchObject({ rows: [{ first_name: value[7] }] });
    await server.sql("delete from customers where first_name = $1", [value[7]]);
  });

  test("is answered up to the length stated in the error for one that is too long, which is never sent", async () => {
    const before = nexus.server.requests.length;
    const tooLong = await refusal(select(names(100, "م".repeat(90))));
    expect(tooLong).toMatchObject({ code: "refused" });
    expect(tooLong.message).toMatch(/has \d{5,} bytes, and Nexus accepts at most 45000: .*fewer or shorter/);
    expect(nexus.server.requests).toHaveLength(before);
    const letters = (count: number) => ["م".repeat(count)].flatMap((name) => names(20, name));
    // 20 names of this many letters of six bytes each.
    await expect(select(letters(360))).resolves.toMatchObject({ rows: [] });
    expect(nexus.server.requests.at(-1)?.path.length).toBeGreaterThan(43_000);
  });

  test.each([
    [414, ""],
    [431, ""],
    [400, "Bad Request"],
  ])("refused by a gateway with %d reports its length and what to do", async (status, body) => {
    nexus.server.addFault({ kind: "status", status, body, match: "/rest/v1/customers", times: 1 });
    const error = await refusal(select(names(80, "محمد عبد الرحمن")));
    expect(error).toMatchObject({ code: "query_too_long", status });
    expect(error.message).toMatch(
      /its path and query of \d{4,5} bytes (are|may be) too long .* fewer or shorter/,
    );
  });
});

describe("nexus.rest.select", () => {
  const select = async (input: object) => ((await run("nexus.rest.select", input)) as { rows: Row[] }).rows;
  const names = async (filters: object[], table = "customers") =>
    (await select({ table, filters, columns: ["first_name"] })).map((row) => row.first_name);

  test("accepts columns, filters and order for any table", async () => {
    const rows = await select({
      table: "items",
      columns: ["sku"],
      filters: [
        { column: "category", operator: "in", value: ["Hoodies", 'a"b\\c,(d)'] },
        { column: "selling_price", operator: "gt", value: 100.5 },
      ],
      order: [{ column: "sku", descending: true }],
    });
    expect(rows).toMatchObject([{ sku: "HOODIE-M-GRY" }, { sku: "HOODIE-L-GRY" }]);
    expect(Object.keys(rows[0] ?? {}).toSorted()).toEqual(["id", "sku"]);
  });

  test("finds rows by every operator, whatever the value contains", async () => {
    const odd = 'O\'Connor (work), "Sally"';
    expect(await names([{ column: "last_name", operator: "eq", value: odd }])).toEqual(["Salma"]);
    expect(await names([{ column: "last_name", operator: "in", value: [odd, "\\"] }])).toEqual(["Salma"]);
    expect(await names([{ column: "last_name", operator: "like", value: "O'C*" }])).toEqual(["Salma"]);
    expect(await names([{ column: "phone_number", operator: "eq", value: "+201005550105" }])).toEqual([
      "Karim",
    ]);
    expect(await names([{ column: "email", operator: "is", value: null }])).toEqual(["Karim"]);
    expect(await names([{ column: "tags", operator: "cs", value: ["vip"] }])).toEqual(["Ahmed"]);
    expect(await names([{ column: "tags", operator: "ov", value: ["vip", "x,y"] }])).toEqual(["Ahmed"]);
    const between = [
      { column: "first_name", operator: "gte", value: "K" },
      { column: "first_name", operator: "lt", value: "N" },
    ];
    expect((await names(between)).toSorted()).toEqual(["Karim", "Mona"]);
    // A condition that is not met by a row without a value is not met by its opposite either; isdistinct is.
    const tagged = { column: "last_name", operator: "eq", value: "Adel", not: true };
    expect(await names([tagged])).not.toContain("Karim");
    expect(await names([{ column: "last_name", operator: "isdistinct", value: "Adel" }])).toContain("Karim");
  });

  test("shows no other organization's rows, and counts without them", async () => {
    const foreign = [{ column: "id", operator: "eq", value: "0b000000-0000-4000-8000-000000000401" }];
    expect(await run("nexus.rest.select", { table: "customers", filters: foreign, count: true })).toEqual({
      rows: [],
      next: null,
      count: 0,
    });
    expect(await run("nexus.rest.select", { table: "customers", limit: 2, count: true })).toMatchObject({
      count: 5,
    });
  });

  test("names the table, column or value that Nexus does not have", async () => {
    expect(await refusal(select({ table: "nothing" }))).toMatchObject({ code: "42P01", status: 404 });
    expect(await refusal(select({ table: "items", columns: ["colour"] }))).toMatchObject({
      code: "42703",
      message: expect.stringContaining("does not have this column"),
    });
    const filters = [{ column: "order_status", operator: "eq", value: "lost" }];
    expect(await refusal(select({ table: "orders", filters }))).toMatchObject({
      code: "22P02",
      message: expect.stringContaining("names of states"),
    });
  });

  test("pages by exact numbers, or reports that it cannot", async () => {
    const order = [{ column: "selling_price", descending: true }];
    const rows = await allOf("nexus.rest.select", "rows", { table: "items", order, limit: 5 });
    const prices = rows.map((row) => Number(row.selling_price));
    expect(prices).toEqual(prices.toSorted((a, b) => b - a));
    expect(rows).toHaveLength(12);
    const byAddress = { table: "customers", order: [{ column: "address" }], limit: 1 };
    expect(await refusal(select(byAddress))).toMatchObject({ code: "refused" });
  });
});

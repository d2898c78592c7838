// Orders and stock of Nexus: what can be asked and changed.

import { z } from "zod";
import { line } from "../input.ts";
import { defineOperation, type Facts } from "../operation.ts";
import { NEWEST_FIRST, readRows, rowOf, rowsOf, writeRow, writtenRow } from "./rows.ts";

const STATUSES = "pending, confirmed, fulfilling, shipped, delivered, cancelled";
const orderId = z.guid().describe("The id of the order, a UUID");
// Not an enum: the vendor's own pages disagree on the list, and Nexus refuses what it does not know.
const status = z.string().regex(/^[a-z][a-z_]{0,39}$/, `must be a status, such as ${STATUSES}`);
const time = z.iso.datetime({ offset: true });

/** Above it PostgREST may cut the answer without a word. */
const MOST_ROWS = 100;

export const listOrders = defineOperation({
  name: "nexus.orders.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List orders",
  description: "Orders, newest first. `nextOffset` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      orderStatus: status.optional().describe(`Only orders in this status: ${STATUSES}`),
      orderNumber: line.optional().describe("Only the order with this number"),
      customerId: z.guid().optional().describe("Only orders of this customer"),
      createdFrom: time.optional().describe("Only orders created at this time or later"),
      createdTo: time.optional().describe("Only orders created before this time"),
      limit: z.int().min(1).max(MOST_ROWS).default(25).describe("The most orders to give"),
      offset: z.int().min(0).default(0).describe("How many to pass over"),
    }),
  ),
  request: ({ orderStatus, orderNumber, customerId, createdFrom, createdTo, limit, offset }, facts) => {
    const between = [
      createdFrom && `created_at.gte."${createdFrom}"`,
      createdTo && `created_at.lt."${createdTo}"`,
    ].filter(Boolean);
    return readRows(facts, "orders", {
      order_status: orderStatus && `eq.${orderStatus}`,
      order_number: orderNumber && `eq.${orderNumber}`,
      customer_id: customerId && `eq.${customerId}`,
      and: between.length > 0 ? `(${between.join(",")})` : undefined,
      order: NEWEST_FIRST,
      limit,
      offset,
    });
  },
  output: (answer, { limit, offset }) => {
    const orders = rowsOf(answer, "orders");
    return { orders, nextOffset: orders.length < limit ? null : offset + orders.length };
  },
});

const orderRequest = (facts: Facts, id: string) => readRows(facts, "orders", { id: `eq.${id}`, limit: 1 });

export const getOrder = defineOperation({
  name: "nexus.orders.get",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show an order",
  description: "One order by its id. Its number is looked up by nexus.orders.list.",
  input: z.lazy(() => z.strictObject({ orderId })),
  request: (input, facts) => orderRequest(facts, input.orderId),
  output: (answer) => ({ order: rowOf(answer, "orders") }),
});

export const updateOrderStatus = defineOperation({
  name: "nexus.orders.update_status",
  service: "nexus",
  effect: "write",
  // HTTP calls a PATCH to a fixed value idempotent, and alone it is. But others move orders too: a repetition after a
  // lost answer could set back an order that went on in between. So it is sent once, and read back where in doubt.
  idempotent: false,
  title: "Change the status of an order",
  description: "Sets the status of one order, if it still has the status that it had at the proposal.",
  input: z.lazy(() =>
    z.strictObject({ orderId, orderStatus: status.describe(`The new status: ${STATUSES}`) }),
  ),
  request: ({ orderId, orderStatus }, facts) =>
    writeRow(facts, "PATCH", "orders", { id: `eq.${orderId}` }, { order_status: orderStatus }),
  output: (answer) => ({ order: writtenRow(answer, "orders") }),
  target: (input) => `nexus/orders/${input.orderId.toLowerCase()}`,
  precondition: async (input, facts, read) => {
    const { order_number, order_status } = rowOf(await read(orderRequest(facts, input.orderId)), "orders");
    return { orderNumber: order_number ?? null, orderStatus: order_status ?? null };
  },
  readBack: async (input, facts, read, startedAt) => {
    const order = rowOf(await read(orderRequest(facts, input.orderId)), "orders");
    if (order.order_status === input.orderStatus) return { kind: "done", output: { order } };
    // A row that changed since may have had the new status for a moment.
    const isUntouched = Date.parse(String(order.updated_at)) < startedAt - CLOCKS_DIFFER_BY_MS;
    return { kind: isUntouched ? "not_found" : "cannot_tell" };
  },
  howToFindOut: "Read nexus.orders.get of the order: does it have the new status?",
});

/** The most that the clocks of this machine and of Nexus are taken to differ by. */
const CLOCKS_DIFFER_BY_MS = 120_000;

export const getStock = defineOperation({
  name: "nexus.stock.get",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show the stock of an item",
  description:
    "The stock balances of the item with a SKU, one for each warehouse. The list is empty where no item has it.",
  input: z.lazy(() => z.strictObject({ sku: line.describe("The SKU of the item, exactly as Nexus has it") })),
  request: ({ sku }, facts) =>
    readRows(facts, "stock_balances", {
      // All of items: some databases have no items.name, and naming it would fail the whole query.
      select: "*,items!inner(*)",
      "items.sku": `eq.${sku}`,
      order: "id.asc",
      limit: MOST_ROWS,
    }),
  output: (answer) => ({ balances: rowsOf(answer, "stock_balances") }),
});

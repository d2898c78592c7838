// The operations on orders and their items.

import { z } from "zod";
import { instantOf } from "../../core/instant.ts";
import { fieldsOf, line, present } from "../input.ts";
import { defineOperation, type NexusFacts } from "./facts.ts";
import { customerId, orderId, time } from "./fields.ts";
import {
  BY_ID,
  MOST_ROWS,
  NEWEST_FIRST,
  pageAs,
  pageOf,
  paging,
  pagingOfFew,
  type Query,
  readPage,
  readRows,
  rowOf,
  rowsOf,
  where,
  writeRow,
  writtenRow,
} from "./rows.ts";

const status = z.enum(["pending", "confirmed", "fulfilling", "shipped", "delivered", "cancelled"]);
const STATUSES = status.options.join(", ");
const withItems = z
  .boolean()
  .default(false)
  .describe(
    "Also return the items: `order_items`, with the quantity of each in `qty`; if there are more, `order_items_next` is the `after` for nexus.order_items.list",
  );

/**
 * All columns, and optionally the rows that belong to each. The server silently cuts those, too, at its row limit, so
 * they are counted as well.
 */
const columns = (items: boolean): Query =>
  items
    ? { select: `*,order_items(*),${ITEM_COUNT}:order_items(count)`, "order_items.order": BY_ID.order }
    : {};
const ITEM_COUNT = "order_items_count";

/** The order with its number of items, and where the remaining ones begin. */
function withRest(order: Record<string, unknown>): Record<string, unknown> {
  const { order_items: items, [ITEM_COUNT]: counted, ...own } = order;
  if (!Array.isArray(items)) return order;
  const { count } = fieldsOf(Array.isArray(counted) ? counted[0] : undefined);
  const last = fieldsOf(items.at(-1));
  // Not every server counts so: then only the next page shows whether there is one.
  const isWhole = items.length === 0 || (typeof count === "number" && items.length >= count);
  return {
    ...own,
    order_items: items,
    [ITEM_COUNT]: typeof count === "number" ? count : null,
    order_items_next: isWhole ? null : BY_ID.cursorOf(last),
  };
}

export const listOrders = defineOperation({
  name: "nexus.orders.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List orders",
  description: "Orders, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      orderStatus: status.optional().describe(`Only orders in this status: ${STATUSES}`),
      orderNumber: line.optional().describe("Only the order with this number"),
      customerId: z.guid().optional().describe("Only orders of this customer"),
      createdFrom: time.optional().describe("Only orders created at or after this time"),
      createdTo: time.optional().describe("Only orders created before this time"),
      items: withItems,
      ...paging(NEWEST_FIRST, "orders"),
    }),
  ),
  request: ({ orderStatus, orderNumber, customerId, createdFrom, createdTo, items, ...page }, facts) =>
    readPage(
      facts,
      "orders",
      {
        ...columns(items),
        order_status: where("eq", orderStatus),
        order_number: where("eq", orderNumber),
        customer_id: where("eq", customerId),
        created_at: [where("gte", createdFrom), where("lt", createdTo)],
      },
      NEWEST_FIRST,
      page,
    ),
  output: (answer, input) => {
    const { rows, rest } = pageOf(answer, "orders", NEWEST_FIRST, input);
    return { orders: rows.map(withRest), ...rest };
  },
});

/** Reads one order, for everything that depends on it. */
export const orderRequest = (facts: NexusFacts, id: string, items = false) =>
  readRows(facts, "orders", { ...columns(items), id: where("eq", id), limit: 1 });

export const getOrder = defineOperation({
  name: "nexus.orders.get",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show an order",
  description: "One order by id. To find one by its number, use nexus.orders.list.",
  input: z.lazy(() => z.strictObject({ orderId, items: withItems })),
  request: (input, facts) => orderRequest(facts, input.orderId, input.items),
  output: (answer) => ({ order: withRest(rowOf(answer, "orders")) }),
});

export const listOrderItems = defineOperation({
  name: "nexus.order_items.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show what is in an order",
  description:
    "The items of one order, the quantity of each in `qty`, page by page: `next` is null at the end. The list is empty if there is no such order.",
  input: z.lazy(() => z.strictObject({ orderId, ...pagingOfFew(BY_ID, "items") })),
  request: ({ orderId, ...page }, facts) =>
    readPage(facts, "order_items", { order_id: where("eq", orderId) }, BY_ID, page),
  output: pageAs("items", "order_items", BY_ID),
});

export const createOrder = defineOperation({
  name: "nexus.orders.create",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Create an order",
  description:
    "Creates an order of a customer, without items. Give it a unique number, by which it can be found if the answer is lost.",
  input: z.lazy(() =>
    z.strictObject({
      customerId,
      totalAmount: z.number().min(0).max(99_999_999.99).describe("The price, in `currency`"),
      currency: z
        .string()
        .regex(/^[A-Z]{3}$/, "must be a code of three capital letters, such as EGP")
        .describe("The currency (ISO 4217)"),
      orderStatus: status.default("pending").describe(`The initial status: ${STATUSES}`),
      orderNumber: line.optional().describe("The number of the order"),
    }),
  ),
  request: ({ customerId, totalAmount, currency, orderStatus, orderNumber }, facts) =>
    writeRow(
      facts,
      "POST",
      "orders",
      {},
      {
        organization_id: facts.organizationId(),
        customer_id: customerId,
        order_status: orderStatus,
        total_amount: totalAmount,
        currency,
        ...present({ order_number: orderNumber }),
      },
    ),
  output: (answer) => ({ order: writtenRow(answer, "orders") }),
  target: (input) => `nexus/customers/${input.customerId.toLowerCase()}`,
  // Whose order it is going to be.
  precondition: async (input, facts, read) => {
    const request = readRows(facts, "customers", { id: where("eq", input.customerId), limit: 1 });
    const customer = rowOf(await read(request), "customers");
    return { firstName: customer.first_name ?? null, lastName: customer.last_name ?? null };
  },
  readBack: async ({ customerId, orderNumber, totalAmount }, facts, read, startedAt) => {
    const request = readRows(facts, "orders", {
      customer_id: where("eq", customerId),
      order_number: where("eq", orderNumber),
      order: NEWEST_FIRST.order,
      limit: MOST_ROWS,
    });
    const orders = rowsOf(await read(request), "orders");
    // By Nexus's clock. If that is behind ours nothing is certain, and nothing is claimed.
    const [created, ...more] = orders.filter(
      (row) => instantOf(String(row.created_at)) >= startedAt && Number(row.total_amount) === totalAmount,
    );
    if (created && more.length === 0) return { kind: "done", output: { order: created } };
    return { kind: orders.length === 0 && orderNumber !== undefined ? "not_found" : "cannot_tell" };
  },
  howToFindOut: "Look with nexus.orders.list of the customer: is there an order created at this time?",
});

export const updateOrderStatus = defineOperation({
  name: "nexus.orders.update_status",
  service: "nexus",
  effect: "write",
  // HTTP calls a PATCH to a fixed value idempotent, and alone it is. But others change orders, too: a repetition after
  // a lost answer could set back an order that moved on in between. So it is sent once, and read back if in doubt.
  idempotent: false,
  title: "Change the status of an order",
  description: "Sets the status of one order, if it still has the status that the proposal showed.",
  input: z.lazy(() =>
    z.strictObject({ orderId, orderStatus: status.describe(`The new status: ${STATUSES}`) }),
  ),
  request: ({ orderId, orderStatus }, facts) =>
    writeRow(facts, "PATCH", "orders", { id: where("eq", orderId) }, { order_status: orderStatus }),
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
    const isUntouched = instantOf(String(order.updated_at)) < startedAt - CLOCKS_DIFFER_BY_MS;
    return { kind: isUntouched ? "not_found" : "cannot_tell" };
  },
  howToFindOut: "Read nexus.orders.get of the order: does it have the new status?",
});

/** The largest assumed difference between the clocks of this machine and of Nexus. */
const CLOCKS_DIFFER_BY_MS = 120_000;

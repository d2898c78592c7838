// The operations on shipments (air waybills), including creating one with the courier Bosta.

import { z } from "zod";
import { instantOf } from "../../core/instant.ts";
import { line } from "../input.ts";
import { OperationError } from "../operation.ts";
import { defineOperation } from "./facts.ts";
import { awbId, orderId } from "./fields.ts";
import { answerOf, callFunction } from "./functions.ts";
import { createKeyset } from "./keyset.ts";
import { orderRequest } from "./order-operations.ts";
import { NEWEST_FIRST, pageAs, paging, readPage, readRows, rowOf, rowsOf, where } from "./rows.ts";

const status = z.enum(["created", "picked_up", "in_transit", "delivered", "returned", "failed"]);
const STATUSES = status.options.join(", ");

export const listAwbs = defineOperation({
  name: "nexus.awbs.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List shipments",
  description: "Shipments, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      status: status.optional().describe(`Only shipments in this status: ${STATUSES}`),
      orderId: z.guid().optional().describe("Only shipments of this order, a UUID"),
      awbNumber: line.optional().describe("Only the shipment with this number"),
      ...paging(NEWEST_FIRST, "shipments"),
    }),
  ),
  request: ({ status, orderId, awbNumber, ...page }, facts) =>
    readPage(
      facts,
      "awbs",
      { status: where("eq", status), order_id: where("eq", orderId), awb_number: where("eq", awbNumber) },
      NEWEST_FIRST,
      page,
    ),
  output: pageAs("awbs", "awbs", NEWEST_FIRST),
});

export const getAwb = defineOperation({
  name: "nexus.awbs.get",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show a shipment",
  description: "One shipment by id. Its history is in nexus.awb_status_logs.list.",
  input: z.lazy(() => z.strictObject({ awbId })),
  request: (input, facts) => readRows(facts, "awbs", { id: where("eq", input.awbId), limit: 1 }),
  output: (answer) => ({ awb: rowOf(answer, "awbs") }),
});

// The vendor names no columns of this table except these two and its id.
const NEWEST_LOG_FIRST = createKeyset([
  { column: "timestamp", descending: true },
  { column: "id", descending: true },
]);

export const listAwbLogs = defineOperation({
  name: "nexus.awb_status_logs.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show the history of a shipment",
  description: "What happened to one shipment, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() => z.strictObject({ awbId, ...paging(NEWEST_LOG_FIRST, "entries") })),
  request: ({ awbId, ...page }, facts) =>
    readPage(facts, "awb_status_logs", { awb_id: where("eq", awbId) }, NEWEST_LOG_FIRST, page),
  output: pageAs("logs", "awb_status_logs", NEWEST_LOG_FIRST),
});

export const createBosta = defineOperation({
  name: "nexus.awbs.create_bosta",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Ship an order with Bosta",
  description:
    "Creates an air waybill for an order that has none, and orders its pickup. Bosta charges for it, and it cannot be undone here.",
  input: z.lazy(() =>
    z.strictObject({
      orderId,
      pickupDate: z.iso.date().describe("The day of the pickup by Bosta, such as 2026-06-17"),
    }),
  ),
  request: ({ orderId, pickupDate }, facts) =>
    callFunction(facts, "create-awb-bosta", { order_id: orderId, pickup_date: pickupDate }),
  output: answerOf,
  target: (input) => `nexus/orders/${input.orderId.toLowerCase()}`,
  precondition: async ({ orderId }, facts, read) => {
    const order = rowOf(await read(orderRequest(facts, orderId)), "orders");
    if (order.awb_number)
      throw new OperationError("refused", "This order already has an air waybill: nexus.awbs.list shows it.");
    return { orderNumber: order.order_number ?? null, orderStatus: order.order_status ?? null };
  },
  readBack: async ({ orderId }, facts, read, startedAt) => {
    const request = readRows(facts, "awbs", { order_id: where("eq", orderId), limit: 100 });
    const awbs = rowsOf(await read(request), "awbs");
    const [made, ...more] = awbs.filter((row) => instantOf(String(row.created_at)) >= startedAt);
    if (made && more.length === 0) return { kind: "done", output: { awb: made } };
    // If Nexus has none, Bosta may still have one.
    return { kind: "cannot_tell" };
  },
  howToFindOut:
    "Look with nexus.awbs.list of the order, and at Bosta: is there a shipment created at this time?",
});

// The watch of pending orders: pending when one enters, overdue once per stay, advanced when it leaves.

import { z } from "zod";
import { pendingOrder } from "../../contract/events/nexus.ts";
import type { EventData, NewEvent } from "../../contract/new-event.ts";
import { instantOf } from "../../core/instant.ts";
import { asNumber, asText, type Row } from "./client.ts";
import type { ColumnNames } from "./columns.ts";
import { defineWatch } from "./watch.ts";

const orderState = pendingOrder.extend({ overdue: z.boolean() });

export interface OrderSettings {
  /** The status that counts as pending. */
  status: string;
  overdue_after: number;
  columns: ColumnNames;
}

function readRow(row: Row, pendingSince: string): EventData["nexus.order.pending"] {
  const amount = row.total_amount;
  return {
    orderId: row.id,
    orderNumber: asText(row.order_number),
    orderStatus: asText(row.order_status),
    totalAmount: typeof amount === "string" ? amount : asNumber(amount),
    currency: asText(row.currency),
    customerId: asText(row.customer_id),
    createdAt: asText(row.created_at),
    pendingSince,
  };
}

/**
 * An order counts as pending since its creation if that was after the last pass began (or there was none); otherwise it
 * came back, and counts since it was seen.
 */
function arrivedAt(row: Row, now: number, lastPassAt: number | null): string {
  const created = instantOf(asText(row.created_at) ?? "");
  const isNew = !Number.isNaN(created) && created <= now && (lastPassAt === null || created >= lastPassAt);
  return new Date(isNew ? created : now).toISOString();
}

export const orderWatch = defineWatch<OrderSettings, z.infer<typeof orderState>>({
  job: "nexus-pending-orders",
  description: "Follows the pending orders of Nexus.",
  table: "orders",
  filter: ({ status }) => [{ column: "order_status", operator: "eq", value: status }],
  valueKey: "status",
  kind: "nexus.order.pending",
  state: orderState,
  turnsAt: ({ overdue, pendingSince }, { overdue_after }) =>
    overdue ? Number.POSITIVE_INFINITY : Date.parse(pendingSince) + overdue_after,
  edges({ settings, row, before, now, isOlder, lastPassAt }) {
    const source = "/nexus/orders";
    if (row && asText(row.order_status) === settings.status) {
      const order = readRow(row, before?.pendingSince ?? arrivedAt(row, now, lastPassAt));
      const subject = order.orderNumber ?? order.orderId;
      const events: NewEvent[] = [];
      if (!before) events.push({ type: "nexus.order.pending", source, subject, data: order });
      const wasOverdue = before?.overdue ?? false;
      const isOverdue = wasOverdue || isOlder(Date.parse(order.pendingSince), settings.overdue_after);
      if (isOverdue && !wasOverdue) {
        const data = { ...order, overdueAfterMs: settings.overdue_after };
        events.push({ type: "nexus.order.overdue", source, subject, data });
      }
      return { events, state: { ...order, overdue: isOverdue } };
    }
    if (!before) return { events: [], state: undefined };
    const { overdue: _, ...known } = before;
    const order = row ? readRow(row, before.pendingSince) : known;
    const subject = order.orderNumber ?? order.orderId;
    // A deleted order has no status.
    const data = {
      ...order,
      ...(row === undefined && { orderStatus: null }),
      previousStatus: before.orderStatus,
      removed: row === undefined,
    };
    return { events: [{ type: "nexus.order.advanced", source, subject, data }], state: undefined };
  },
});

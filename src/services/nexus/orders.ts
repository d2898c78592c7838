// Pending orders as edges: pending when one comes in, overdue once a stay, advanced when it leaves.

import { z } from "zod";
import type { NewEvent, PendingOrder } from "../../events/types.ts";
import type { Observation } from "../../store/store.ts";
import type { Row } from "./client.ts";
import { asNumber, asText, type Reading } from "./watch.ts";

export const PENDING_ORDER_KIND = "nexus.order.pending";
export const PENDING = "pending";

export const pendingOrderRecord = z.object({
  orderId: z.string(),
  orderNumber: z.string().nullable(),
  orderStatus: z.string().nullable(),
  totalAmount: z.union([z.number(), z.string()]).nullable(),
  currency: z.string().nullable(),
  customerId: z.string().nullable(),
  createdAt: z.string().nullable(),
  pendingSince: z.string(),
  overdue: z.boolean(),
});
export type StoredOrder = z.infer<typeof pendingOrderRecord>;

function readRow(row: Row, pendingSince: string): PendingOrder {
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
 * What changed between the stored set and a complete reading.
 * An order counts as pending since it was created, when that was after the last reading (or there was none);
 * otherwise it came back, and counts since it was seen.
 */
export function diffOrders(
  stored: ReadonlyMap<string, StoredOrder>,
  reading: Reading,
  settings: { overdueAfterMs: number; lastReadAt: number | null; now: number },
): Required<Pick<Observation, "events" | "put" | "remove">> {
  const { overdueAfterMs, lastReadAt, now } = settings;
  const events: NewEvent[] = [];
  const put: { kind: string; key: string; value: StoredOrder }[] = [];
  const remove: { kind: string; key: string }[] = [];
  const source = "/nexus/orders";

  const arrivedAt = (row: Row): string => {
    const created = Date.parse(asText(row.created_at) ?? "");
    const isNew = !Number.isNaN(created) && created <= now && (lastReadAt === null || created >= lastReadAt);
    return new Date(isNew ? created : now).toISOString();
  };
  for (const [id, row] of reading.current) {
    const before = stored.get(id);
    const order = readRow(row, before?.pendingSince ?? arrivedAt(row));
    const subject = order.orderNumber ?? order.orderId;
    if (!before) events.push({ type: "nexus.order.pending", source, subject, data: order });
    const isOverdue = now - Date.parse(order.pendingSince) >= overdueAfterMs;
    if (isOverdue && !before?.overdue)
      events.push({ type: "nexus.order.overdue", source, subject, data: { ...order, overdueAfterMs } });
    const value: StoredOrder = { ...order, overdue: isOverdue || (before?.overdue ?? false) };
    if (JSON.stringify(value) !== JSON.stringify(before))
      put.push({ kind: PENDING_ORDER_KIND, key: id, value });
  }
  for (const [id, { overdue: _, ...before }] of stored) {
    if (reading.current.has(id)) continue;
    const row = reading.departed.get(id);
    // It came back to pending between the two requests of the reading: it never left.
    if (asText(row?.order_status) === PENDING) continue;
    remove.push({ kind: PENDING_ORDER_KIND, key: id });
    const order = row ? readRow(row, before.pendingSince) : before;
    const data = { ...order, removed: row === undefined };
    const subject = order.orderNumber ?? order.orderId;
    events.push({ type: "nexus.order.advanced", source, subject, data });
  }
  return { events, put, remove };
}

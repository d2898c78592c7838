// What the watch of pending orders has stored of the order that a write is about.

import { pendingOrdersAnswer } from "../../contract/api/views.ts";
import type { Store } from "../../contract/store.ts";
import { fieldsOf } from "../input.ts";
import type { LocalView } from "../operation.ts";
import { observedAt } from "../route.ts";

/** @returns undefined if the input names no order, or one that was not pending when the watch last looked */
export async function orderView(
  store: Pick<Store, "readRecord" | "readCursor">,
  input: unknown,
): Promise<LocalView | undefined> {
  const { orderId } = fieldsOf(input);
  if (typeof orderId !== "string") return undefined;
  const record = await store.readRecord("nexus.order.pending", orderId.toLowerCase());
  if (!record) return undefined;
  const { orderNumber, orderStatus, totalAmount, currency } = pendingOrdersAnswer.shape.orders.element.parse(
    record.value,
  );
  return {
    label: orderNumber,
    fields: { orderStatus, totalAmount, currency },
    asOf: await observedAt(store, "nexus-pending-orders"),
  };
}

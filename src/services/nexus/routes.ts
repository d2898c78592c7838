// The views of Nexus: what the watches last found.

import { nothing } from "../../contract/api/fields.ts";
import { lowStockAnswer, pendingOrdersAnswer } from "../../contract/api/views.ts";
import type { Store } from "../../contract/store.ts";
import { defineRoute, observedAt, type Route } from "../route.ts";

const common = { method: "GET", tag: "views", query: nothing, problems: [] } as const;

export const nexusRoutes = (store: Pick<Store, "readRecords" | "readCursor">): Route[] => [
  defineRoute({
    ...common,
    path: "/v1/nexus/stock/low",
    operationId: "listLowStock",
    summary: "All items whose stock is low",
    answer: lowStockAnswer,
    async handle() {
      const [records, asOf] = await Promise.all([
        store.readRecords("nexus.stock.low"),
        observedAt(store, "nexus-low-stock"),
      ]);
      return { asOf, items: records.map(({ value }) => lowStockAnswer.shape.items.element.parse(value)) };
    },
  }),
  defineRoute({
    ...common,
    path: "/v1/nexus/orders/pending",
    operationId: "listPendingOrders",
    summary: "All pending orders",
    answer: pendingOrdersAnswer,
    async handle() {
      const [records, asOf] = await Promise.all([
        store.readRecords("nexus.order.pending"),
        observedAt(store, "nexus-pending-orders"),
      ]);
      const { element } = pendingOrdersAnswer.shape.orders;
      return { asOf, orders: records.map(({ value }) => element.parse(value)) };
    },
  }),
];

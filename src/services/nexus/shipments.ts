// The watch of shipments: active ones by status, and each entry of their tracking history.

import type { z } from "zod";
import { shipment } from "../../contract/events/nexus.ts";
import { asText } from "./client.ts";
import { defineWatch, type WatchSettings } from "./watch.ts";

interface ShipmentSettings extends WatchSettings {
  /** Active: in one of these. */
  statuses: string[];
}

export const shipmentWatch = defineWatch<ShipmentSettings, z.infer<typeof shipment>>({
  job: "nexus-shipments",
  description: "Follows the active shipments of Nexus.",
  table: "awbs",
  filter: ({ statuses }) => [{ column: "status", operator: "in", value: statuses }],
  valueKey: "statuses",
  kind: "nexus.shipment.open",
  state: shipment,
  edges({ settings, row, before }) {
    const source = "/nexus/shipments";
    const seen = row && {
      shipmentId: row.id,
      awbNumber: asText(row.awb_number),
      orderId: asText(row.order_id),
      courierName: asText(row.courier_name),
      trackingNumber: asText(row.courier_tracking_number),
      status: asText(row.status),
    };
    const subject = seen?.awbNumber ?? before?.awbNumber ?? seen?.shipmentId ?? before?.shipmentId ?? "";
    if (seen && settings.statuses.includes(seen.status ?? "")) {
      if (!before)
        return { events: [{ type: "nexus.shipment.opened", source, subject, data: seen }], state: seen };
      if (before.status === seen.status) return { events: [], state: seen };
      const data = { ...seen, previousStatus: before.status };
      return { events: [{ type: "nexus.shipment.moved", source, subject, data }], state: seen };
    }
    if (!before) return { events: [], state: undefined };
    const data = {
      ...(seen ?? { ...before, status: null }),
      previousStatus: before.status,
      removed: seen === undefined,
    };
    return { events: [{ type: "nexus.shipment.closed", source, subject, data }], state: undefined };
  },
  feed: {
    setting: "history",
    table: "awb_status_logs",
    // Only awb_id and timestamp are published: any other columns are included as they are.
    select: "*",
    time: "timestamp",
    filters: [],
    event: (row) => ({
      type: "nexus.shipment.logged",
      source: "/nexus/shipments",
      subject: asText(row.awb_id) ?? row.id,
      data: {
        logId: row.id,
        shipmentId: asText(row.awb_id),
        status: asText(row.status),
        loggedAt: asText(row.timestamp),
        entry: row,
      },
    }),
  },
});

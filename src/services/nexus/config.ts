// [nexus] and the settings of its watches.

import { z } from "zod";
import { always, duration, needsWhenEnabled, origin, positive, secretRef } from "../../core/settings.ts";
import { schedule } from "../../scheduler/schedule-setting.ts";
import { WATCHED_COLUMNS, type WatchJob } from "./columns.ts";

/** As in src/services/nexus/mcp/tools.ts. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,100}$/;

export const nexusSettings = z
  .strictObject({
    enabled: z.boolean().default(true),
    base_url: origin.default("https://api.nexus.aiforstartups.io"),
    api_key: secretRef.optional(),
    anon_key: secretRef.optional(),
    requests_per_minute: positive.default(100),
    mcp: z.boolean().default(true),
    mcp_reads: z
      .array(z.string().regex(TOOL_NAME, 'must be the name of a tool: letters, digits, "_" and "-"'))
      .default([]),
  })
  .superRefine(needsWhenEnabled("api_key", "anon_key"), always);

/** The names of a watch's columns in this database; "" leaves one out. */
const columns = (job: WatchJob) => {
  const known: Readonly<Record<string, string>> = WATCHED_COLUMNS[job];
  return z
    .record(z.string(), z.string().regex(/^([A-Za-z_]\w{0,62})?$/, 'must be the name of a column, or ""'))
    .superRefine((names, context) => {
      for (const [column, name] of Object.entries(names)) {
        const message = !Object.hasOwn(known, column)
          ? `is not a column that it reads: known are ${Object.keys(known).join(", ")}`
          : name === "" && known[column] === "needed"
            ? 'cannot be left out with "": the watch needs it'
            : undefined;
        if (message) context.addIssue({ code: "custom", path: [column], input: name, message });
      }
    }, always)
    .default({});
};

const lowStock = z
  .strictObject({
    enabled: z.boolean().default(true),
    schedule: schedule("*/5 * * * *"),
    threshold: z.number().default(10),
    recover_above: z.number().default(12),
    per_sku: z.record(z.string(), z.number()).default({}),
    min_stock_level: z.boolean().default(true),
    columns: columns("nexus-low-stock"),
  })
  .superRefine((value: Record<string, unknown>, context) => {
    const { threshold, recover_above: recoverAbove } = value;
    if (typeof threshold === "number" && typeof recoverAbove === "number" && recoverAbove < threshold)
      context.addIssue({
        code: "custom",
        path: ["recover_above"],
        input: recoverAbove,
        message: `must not be less than threshold (${threshold})`,
      });
  }, always);

const pendingOrders = z.strictObject({
  enabled: z.boolean().default(true),
  schedule: schedule("*/2 * * * *"),
  overdue_after: duration("30m", "1s"),
  status: z.string().min(1).default("pending"),
  columns: columns("nexus-pending-orders"),
});

const conversations = z.strictObject({
  enabled: z.boolean().default(false),
  schedule: schedule("*/2 * * * *"),
  messages: z.boolean().default(true),
  columns: columns("nexus-conversations"),
});

const shipments = z.strictObject({
  enabled: z.boolean().default(false),
  schedule: schedule("*/10 * * * *"),
  statuses: z.array(z.string().min(1)).min(1).default(["created", "picked_up", "in_transit"]),
  history: z.boolean().default(true),
  columns: columns("nexus-shipments"),
});

export const nexusJobSettings = {
  "nexus-low-stock": lowStock.prefault({}),
  "nexus-pending-orders": pendingOrders.prefault({}),
  "nexus-conversations": conversations.prefault({}),
  "nexus-shipments": shipments.prefault({}),
};

// The configuration file as a schema: every key, its default, and what is right where it is wrong.
// Keys in code are the keys of the file. Durations are milliseconds once parsed.

import { z } from "zod";
import { SERVICES } from "../contract/new-event.ts";
import { parseDuration } from "../core/duration.ts";
import { createSchedule, ScheduleError } from "../scheduler/schedule.ts";
import { WATCHED_COLUMNS, type WatchJob } from "../services/nexus/columns.ts";
import { limits } from "./limits.ts";

const durationText = () => z.string({ error: 'must be a duration in quotes, such as "30s", "5m" or "24h"' });

const inMilliseconds = (least: string, most?: string) => (text: string, context: z.RefinementCtx) => {
  const fail = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  const ms = parseDuration(text);
  if (ms === undefined) return fail('must be a duration such as "250ms", "30s", "5m", "24h" or "30d"');
  if (ms >= (parseDuration(least) ?? 0) && ms <= (parseDuration(most ?? "") ?? ms)) return ms;
  return fail(
    most === undefined ? `must be at least "${least}"` : `must be a duration from "${least}" to "${most}"`,
  );
};

const duration = (fallback: string, least: string, most?: string) =>
  durationText().default(fallback).transform(inMilliseconds(least, most));

const schedule = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .superRefine((text, context) => {
      try {
        createSchedule(text);
      } catch (error) {
        if (!(error instanceof ScheduleError)) throw error;
        context.addIssue({ code: "custom", message: error.reason });
      }
    });

export const isLoopback = (host: string) =>
  host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);

/** An origin: scheme, host and port alone, https unless the host is this machine. */
export const origin = z.string().transform((text, context) => {
  const url = URL.parse(text);
  const fail = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    return fail('must be an origin such as "https://messaging.md"');
  const allowed = isLoopback(url.hostname) ? url.protocol : "https:";
  if (url.username || url.password || url.pathname !== "/" || url.search || url.hash)
    return fail(`must be an origin without path, query or user, such as "${allowed}//${url.host}"`);
  if (url.protocol !== allowed) return fail(`must be https, because "${url.hostname}" is not this machine`);
  return url.origin;
});

const SECRET_FORM = 'must be a reference such as { source = "env", id = "NAME" }, never the secret itself';

/** Where a secret is to be found; never the secret. */
export const secretRef = z.strictObject(
  {
    source: z.enum(["env", "file", "credential"], {
      error: 'must be "env", "file" or "credential"',
    }),
    id: z.string().min(1, "must name the variable, file or credential"),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? undefined : SECRET_FORM) },
);
export type SecretRef = z.infer<typeof secretRef>;

// Cross-checks run even where another key of the table is wrong, so that every problem comes out at once; what
// they read may therefore be of any type, or missing.
const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const always = { when: (payload: { value: unknown }) => isTable(payload.value) };

export const agentId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, "-" or "_"');
export const sessionId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, "must be the session's id, as the service gave it");
export const sessionAlias = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "-" or "_"');
const whole = z.int({
  error: (issue) => (issue.code === "invalid_type" ? "must be a whole number" : undefined),
});
const positive = whole.positive();
const filePath = z
  .string()
  .min(1)
  .refine((text) => !text.includes("\0"), "must be a path, without a NUL character");

const daemon = z.strictObject({
  data_dir: filePath.default("data"),
  log_level: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
  log_format: z.enum(["auto", "json", "pretty", "journal"]).default("auto"),
});

const control = z.strictObject({
  agent_socket: filePath.optional(),
  operator_socket: filePath.optional(),
  metrics_port: whole
    .min(1, "must be a port from 1 to 65535")
    .max(65_535, "must be a port from 1 to 65535")
    .optional(),
});

const session = z.strictObject({
  id: sessionId,
  alias: sessionAlias.optional(),
  base_url: origin.optional(),
});

const messaging = z
  .strictObject({
    enabled: z.boolean().default(true),
    base_url: origin.default("https://messaging.md"),
    agent_id: agentId.default("nexusd"),
    requests_per_minute: positive.default(100),
    reserve_per_minute: whole.nonnegative().default(10),
    max_staleness: duration("60s", "1s"),
    auto_renew: z.boolean().default(true),
    auto_rejoin: z.boolean().default(true),
    members: z.boolean().default(true),
    servers: z.array(origin).default([]),
    sessions: z.array(session).default([]),
  })
  .superRefine((value: Record<string, unknown>, context) => {
    const { requests_per_minute: budget, reserve_per_minute: reserve, sessions } = value;
    if (typeof reserve === "number" && typeof budget === "number" && budget > 0 && reserve >= budget)
      context.addIssue({
        code: "custom",
        path: ["reserve_per_minute"],
        input: reserve,
        message: `must be less than requests_per_minute (${budget})`,
      });
    for (const field of ["id", "alias"]) {
      const seen = new Set<unknown>();
      (Array.isArray(sessions) ? sessions : []).forEach((entry: unknown, index) => {
        const text = isTable(entry) ? entry[field] : undefined;
        if (typeof text !== "string") return;
        if (seen.has(text))
          context.addIssue({
            code: "custom",
            path: ["sessions", index, field],
            input: text,
            message: `must be another ${field} than that of the sessions before it`,
          });
        seen.add(text);
      });
    }
  }, always);

const needsWhenEnabled =
  (...keys: string[]) =>
  (value: Record<string, unknown>, context: z.RefinementCtx) => {
    if (value.enabled)
      for (const key of keys)
        if (value[key] === undefined)
          context.addIssue({
            code: "custom",
            path: [key],
            input: undefined,
            message: `is missing: ${SECRET_FORM.replace("must be", "add")}; or set enabled = false`,
          });
  };

const nex = z
  .strictObject({
    enabled: z.boolean().default(true),
    base_url: origin.default("https://app.nex.ai"),
    api_key: secretRef.optional(),
    // A timer of Node.js that is set for longer than 24.8 days fires at once.
    keepalive_timeout: duration("90s", "1s", "24h"),
    timeout: duration("120s", "1s", "24h"),
  })
  .superRefine(needsWhenEnabled("api_key"), always);

/** As in src/services/nexus/mcp/tools.ts. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,100}$/;

const nexus = z
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

/** What the columns of a watch are called in this database; "" leaves one out. */
const columns = (job: WatchJob) => {
  const known: Readonly<Record<string, string>> = WATCHED_COLUMNS[job];
  return z
    .record(z.string(), z.string().regex(/^([A-Za-z_]\w{0,62})?$/, 'must be the name of a column, or ""'))
    .superRefine((names, context) => {
      for (const [column, name] of Object.entries(names)) {
        const message = !Object.hasOwn(known, column)
          ? `is no column that it reads: known are ${Object.keys(known).join(", ")}`
          : name === "" && known[column] === "needed"
            ? 'cannot be left out with "": the watch is about it'
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

const notifications = z.strictObject({
  enabled: z.boolean().default(false),
  schedule: schedule("*/5 * * * *"),
});

const retention = z.strictObject({
  enabled: z.boolean().default(true),
  schedule: schedule("17 3 * * *"),
  keep_events: duration("30d", "1h"),
  max_events: positive.optional(),
  keep_insights: durationText().transform(inMilliseconds("1h")).optional(),
  // Without it nothing is removed from the audit log.
  keep_audit: durationText().transform(inMilliseconds("1d")).optional(),
});

const jobs = z.strictObject({
  directory: filePath.optional(),
  "nex-notifications": notifications.prefault({}),
  "nexus-low-stock": lowStock.prefault({}),
  "nexus-pending-orders": pendingOrders.prefault({}),
  "nexus-conversations": conversations.prefault({}),
  "nexus-shipments": shipments.prefault({}),
  retention: retention.prefault({}),
});

/** `*`, `nexus.*`, `nexus.orders.*`, or the whole name of an operation. */
const OPERATION_PATTERN = new RegExp(`^(\\*|(${SERVICES.join("|")})\\.([\\w-]+\\.)*([\\w-]+|\\*))$`);

const approvals = z.strictObject({
  ttl: duration("24h", "1m", "30d"),
  policy: z
    .record(
      z.string(),
      z.enum(["operator", "auto", "deny"], { error: 'must be "operator", "auto" or "deny"' }),
    )
    .superRefine((policy, context) => {
      for (const [pattern, approval] of Object.entries(policy))
        if (!OPERATION_PATTERN.test(pattern))
          context.addIssue({
            code: "custom",
            path: [pattern],
            input: approval,
            message:
              'is not the name of an operation or a pattern: known are "*", "nexus.*", "nexus.orders.*" and "nexus.orders.update_status", each of messaging, nex or nexus',
          });
    }, always)
    .default({ "nexus.*": "operator", "nex.*": "operator", "messaging.*": "auto" }),
});

export const configSchema = z.strictObject({
  daemon: daemon.prefault({}),
  control: control.prefault({}),
  messaging: messaging.prefault({}),
  nex: nex.prefault({}),
  nexus: nexus.prefault({}),
  jobs: jobs.prefault({}),
  approvals: approvals.prefault({}),
  limits: limits.prefault({}),
});

export type Config = z.output<typeof configSchema>;

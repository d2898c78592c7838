// The configuration file as a schema: every key, its default, and the message for a wrong value.
// Keys in code are the keys of the file. Durations are milliseconds once parsed.

import { z } from "zod";
import { filePath, whole } from "../core/settings.ts";
import { jobTables } from "../services/config.ts";
import { sinkSettings } from "../sinks/settings.ts";
import { approvalSettings } from "../writes/config.ts";
import { storeSettings } from "./store.ts";

const daemon = z.strictObject({
  data_dir: filePath.default("data"),
  node: z
    .string()
    .regex(/^[\w.-]{1,63}$/, "must be a name of letters, digits, -, _ and ., at most 63 characters")
    .optional(),
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

const { jobs, limits, ...services } = jobTables;

export const configSchema = z.strictObject({
  daemon: daemon.prefault({}),
  control: control.prefault({}),
  store: storeSettings.prefault({}),
  ...services,
  jobs,
  approvals: approvalSettings.prefault({}),
  sinks: sinkSettings.default([]),
  limits,
});

export type Config = z.output<typeof configSchema>;

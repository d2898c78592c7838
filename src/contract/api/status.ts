// The state of everything, and its health.

import { z } from "zod";
import { jobStatus } from "./jobs.ts";
import { nodeStatus } from "./nodes.ts";
import { serviceName } from "./service.ts";
import { sinkStatus } from "./sinks.ts";
import { writeCounts } from "./writes.ts";

const lastError = z.object({ code: z.string(), message: z.string(), at: z.string() }).nullable();

/** A problem that needs a person, although the service works. */
const attention = z.object({ code: z.string(), detail: z.string(), remedy: z.string() });

const serviceStatus = z.looseObject({
  state: z.enum(["ok", "degraded", "down", "disabled"]),
  lastSuccessAt: z.string().nullable(),
  lastError,
  attention: z.array(attention).optional().describe("What needs attention although the service works"),
  note: z.string().nullish().describe("A short summary for a person"),
});

export const statusAnswer = z.object({
  version: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  epoch: z.string(),
  log: z.object({ oldest: z.int(), latest: z.int() }),
  services: z.record(serviceName, serviceStatus),
  jobs: z.array(jobStatus),
  node: z.string().describe("The name of the node that answers"),
  nodes: z.array(nodeStatus).describe("Those that share the database; without a fleet, only this one"),
  sinks: z.array(sinkStatus),
  writes: writeCounts,
  store: z.object({ state: z.enum(["ok", "degraded"]), lastError }),
  sockets: z.array(
    z.object({
      role: z.enum(["agent", "operator"]),
      path: z.string(),
      state: z
        .enum(["there", "missing", "replaced"])
        .describe("Whether the file at `path` is the socket that nexusd listens on"),
      lastError: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
});

export const healthAnswer = z.object({
  status: z.enum(["ok", "degraded"]),
  reasons: z
    .array(z.object({ code: z.string(), detail: z.string() }))
    .describe("Why it is degraded; empty: it is not"),
  epoch: z.string(),
  version: z.string(),
});

export type StatusView = z.output<typeof statusAnswer>;
export type ServiceStatus = z.output<typeof serviceStatus>;
export type HealthView = z.output<typeof healthAnswer>;

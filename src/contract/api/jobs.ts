// A job as the API shows it.

import { z } from "zod";
import { serviceName } from "./service.ts";

export const jobStatus = z
  .object({
    name: z.string(),
    kind: z.enum(["cron", "paced", "stream"]),
    description: z.string(),
    service: serviceName.nullable(),
    state: z
      .enum(["ok", "starting", "standby", "failing", "stale", "degraded", "paused", "disabled", "invalid"])
      .describe(
        "`stale`: the last success is older than three intervals, whatever the job reports; `standby`: this node does not run it, `node` does",
      ),
    node: z
      .string()
      .nullable()
      .describe("The node that runs it; null: none does now, or nexusd is not part of a fleet"),
    schedule: z.string().nullable(),
    intervalMs: z.number().nullable(),
    running: z.boolean(),
    lastRunAt: z.string().nullable(),
    lastSuccessAt: z.string().nullable(),
    nextRunAt: z.string().nullable(),
    lastError: z.object({ code: z.string(), message: z.string(), at: z.string() }).nullable(),
    failures: z.int().describe("Since the last success"),
    runs: z.int(),
  })
  .meta({ id: "Job" });

export const jobsAnswer = z.object({ asOf: z.string(), jobs: z.array(jobStatus) });

/** Times are RFC 3339 UTC or null. */
export type JobStatus = z.output<typeof jobStatus>;
export type JobsView = z.output<typeof jobsAnswer>;

// GET /v1/status: the state of everything, as truthfully as it is known.

import { z } from "zod";
import type { App } from "./app.ts";
import { nothing } from "./fields.ts";
import { jobStatus } from "./jobs.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";
import { writeCounts } from "./write-view.ts";

const lastError = z.object({ code: z.string(), message: z.string(), at: z.string() }).nullable();

const serviceStatus = z.looseObject({
  state: z.enum(["ok", "degraded", "down", "disabled"]),
  lastSuccessAt: z.string().nullable(),
  lastError,
});

const answer = z.object({
  version: z.string(),
  pid: z.int(),
  startedAt: z.string(),
  epoch: z.string(),
  log: z.object({ oldest: z.int(), latest: z.int() }),
  services: z.object({ messaging: serviceStatus, nex: serviceStatus, nexus: serviceStatus }),
  jobs: z.array(jobStatus),
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

export function status(app: App, { context, socketStatus }: RouteOptions): void {
  app.get(
    "/v1/status",
    {
      schema: {
        summary:
          "The state of the services, the jobs, the writes, the log, the database and the control sockets",
        tags: ["state"],
        querystring: nothing,
        response: { 200: answer, ...problems("invalid_request") },
      },
    },
    async () => {
      const [{ oldest, latest }, writes] = await Promise.all([
        context.store.readEvents({ after: 0, limit: 1 }),
        context.writes.counts(),
      ]);
      return {
        version: context.version,
        pid: process.pid,
        startedAt: context.startedAt,
        epoch: context.store.epoch,
        log: { oldest, latest },
        services: context.services(),
        jobs: context.scheduler.list(),
        writes,
        store: context.storeStatus(),
        sockets: socketStatus(),
      };
    },
  );
}

// GET /v1/health: whether everything that is enabled works.

import { z } from "zod";
import type { JobState } from "../scheduler/define-job.ts";
import type { App } from "./app.ts";
import type { ControlContext } from "./context.ts";
import { nothing } from "./fields.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

const UNHEALTHY: ReadonlySet<JobState> = new Set(["failing", "stale", "invalid"]);

const answer = z.object({ status: z.enum(["ok", "degraded"]), epoch: z.string(), version: z.string() });

export function health(app: App, { context, socketStatus }: RouteOptions): void {
  app.get(
    "/v1/health",
    {
      schema: {
        summary: "Whether every enabled service, every job, the database and both sockets work",
        tags: ["state"],
        querystring: nothing,
        response: { 200: answer, ...problems("invalid_request") },
      },
    },
    async () => ({
      status:
        isHealthy(context) && socketStatus().every(({ state }) => state === "there")
          ? ("ok" as const)
          : ("degraded" as const),
      epoch: context.store.epoch,
      version: context.version,
    }),
  );
}

const isHealthy = (context: ControlContext): boolean =>
  context.storeStatus().state === "ok" &&
  Object.values(context.services()).every(({ state }) => state === "ok" || state === "disabled") &&
  !context.scheduler.list().some(({ state }) => UNHEALTHY.has(state));

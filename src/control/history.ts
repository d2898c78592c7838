// GET /v1/history: the state over the last hour, day or month.

import { z } from "zod";
import { HISTORY_RANGES, historyAnswer } from "../contract/api/history.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

const range = z
  .enum(HISTORY_RANGES, { error: `must be one of ${HISTORY_RANGES.join(", ")}` })
  .default("hour")
  .describe("In steps of a minute, ten minutes or four hours; default hour");

export function history(app: App, { context }: RouteOptions): void {
  app.get(
    "/v1/history",
    {
      config: { isExpensive: true },
      schema: {
        operationId: "getHistory",
        summary: "Request budgets, delays, wakes, writes and growth over the last hour, day or month",
        description: "Kept by nexusd itself, in at most 5 MB; null where it did not run.",
        tags: ["state"],
        querystring: z.strictObject({ range }),
        response: { 200: historyAnswer, ...problems("invalid_request") },
      },
    },
    async (request) => await context.history.read(request.query.range),
  );
}

// GET /metrics: all metrics, for Prometheus.

import { z } from "zod";
import { nothing } from "../contract/api/fields.ts";
import type { App } from "./app.ts";
import type { ControlContext } from "./context.ts";
import { problems } from "./problem.ts";
import { operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

export function metrics(app: App, { context, role }: RouteOptions): void {
  app.get(
    "/metrics",
    {
      onRequest: operatorOnly(role),
      schema: {
        operationId: "getMetrics",
        summary: "Metrics for Prometheus, as text (operator.sock)",
        description: "OpenMetrics if the header `Accept` asks for it. docs/metrics.md explains each metric.",
        tags: ["operation"],
        querystring: nothing,
        response: {
          200: {
            description: "The metrics",
            content: {
              "text/plain": { schema: z.string() },
              "application/openmetrics-text": { schema: z.string() },
            },
          },
          ...problems("invalid_request", "operator_only"),
        },
      },
    },
    async (request, reply) => {
      const { contentType, text } = await scrapeNow(context, request.headers.accept);
      return reply.type(contentType).send(text);
    },
  );
}

/** `scrape`, loaded on first use. */
export async function scrapeNow(context: ControlContext, accept: string | undefined) {
  const { scrape } = await import("./metrics/exposition.ts");
  return await scrape(context, accept);
}

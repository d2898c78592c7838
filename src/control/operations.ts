// GET /v1/operations: the catalogue, with the current policy.

import { z } from "zod";
import { effect, operation } from "../contract/api/operations.ts";
import { SERVICE_NAMES } from "../services/list.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

const service = z.enum(SERVICE_NAMES);

export function operations(app: App, { context }: RouteOptions): void {
  app.get(
    "/v1/operations",
    {
      config: { isExpensive: true },
      schema: {
        operationId: "listOperations",
        summary: "All operations of the services",
        tags: ["operations"],
        querystring: z.strictObject({ service: service.optional(), effect: effect.optional() }),
        response: { 200: z.array(operation), ...problems("invalid_request") },
      },
    },
    async (request) => {
      const wanted = request.query;
      return (await context.operations()).filter(
        ({ service, effect }) =>
          service === (wanted.service ?? service) && effect === (wanted.effect ?? effect),
      );
    },
  );
}

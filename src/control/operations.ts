// GET /v1/operations: the catalogue, with the policy that holds now.

import { z } from "zod";
import { SERVICE_NAMES } from "../services/list.ts";

import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

const service = z.enum(SERVICE_NAMES);
const effect = z.enum(["read", "write"]);

const operation = z
  .object({
    name: z.string().describe("`service.noun.verb`"),
    service,
    effect,
    title: z.string(),
    description: z.string(),
    approval: z
      .enum(["operator", "auto", "deny"])
      .nullable()
      .describe("What the policy says of it now; null: it is a read"),
    idempotent: z.boolean().describe("Whether doing it twice is the same as once"),
    destructive: z.boolean().describe("Whether it deletes for good"),
    inputSchema: z.unknown().describe("JSON Schema"),
  })
  .meta({ id: "Operation" });

export function operations(app: App, { context }: RouteOptions): void {
  app.get(
    "/v1/operations",
    {
      schema: {
        summary: "Everything that the services can be asked to do",
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

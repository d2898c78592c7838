// GET /openapi.json

import { z } from "zod";
import { nothing } from "../contract/api/fields.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import { asText, JSON_TYPE } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

export function description(app: App, options: RouteOptions): void {
  let document: Promise<string> | undefined;
  app.get(
    "/openapi.json",
    {
      config: { isExpensive: true },
      schema: {
        operationId: "getDescription",
        summary: "This document",
        tags: ["state"],
        querystring: nothing,
        response: { 200: asText(z.looseObject({ openapi: z.string() })), ...problems("invalid_request") },
      },
    },
    async (_request, reply) => {
      document ??= import("./openapi.ts").then(({ describeApi }) => describeApi(options));
      return reply.type(JSON_TYPE).send(await document);
    },
  );
}

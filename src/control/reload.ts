// POST /v1/reload: reads the configuration file again.

import { ConfigError } from "../config/error.ts";
import { nothing } from "../contract/api/fields.ts";
import { reloadAnswer } from "../contract/api/reload.ts";
import type { App } from "./app.ts";
import { Problem, problems } from "./problem.ts";
import { noBody, operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

export function reload(app: App, { context, role }: RouteOptions): void {
  app.post(
    "/v1/reload",
    {
      onRequest: operatorOnly(role),
      preValidation: noBody,
      schema: {
        operationId: "reloadConfiguration",
        summary: "Read the configuration file again (operator.sock)",
        tags: ["operation"],
        querystring: nothing,
        response: { 200: reloadAnswer, ...problems("invalid_request", "operator_only", "invalid_config") },
      },
    },
    async () => {
      try {
        return await context.reload();
      } catch (error) {
        if (error instanceof ConfigError)
          throw new Problem("invalid_config", "The file has errors; the old configuration stays.", {
            errors: error.problems.map(({ path, message, line }) => ({
              ...{ path, message, file: error.path },
              ...(line !== undefined && { line }),
            })),
          });
        throw error;
      }
    },
  );
}

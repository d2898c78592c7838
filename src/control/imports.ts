// POST /v1/messaging/import: sessions of another client. Keys and servers come from outside, so an operator brings them.

import { z } from "zod";
import { importedSession, importResult } from "../services/messaging/membership/import.ts";
import type { App } from "./app.ts";
import { nothing } from "./fields.ts";
import { BODY_PROBLEMS, problems } from "./problem.ts";
import { operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

const MOST_IMPORTED = 1000;

const count = { error: `must be an array of 1 to ${MOST_IMPORTED} sessions` };
const body = z.strictObject({
  sessions: z.array(importedSession, count).min(1, count).max(MOST_IMPORTED, count),
});

export function imports(app: App, { context, role }: RouteOptions): void {
  app.post(
    "/v1/messaging/import",
    {
      onRequest: operatorOnly(role),
      schema: {
        operationId: "importSessions",
        summary: "Take over sessions that another client joined (operator.sock)",
        description:
          "Each is polled from then on, under the agent id and from the cursor given. One that nexusd knows is left as it is.",
        tags: ["messaging"],
        querystring: nothing,
        body,
        response: {
          200: z.object({ sessions: z.array(importResult) }),
          ...problems("invalid_request", ...BODY_PROBLEMS, "operator_only", "service_disabled"),
        },
      },
    },
    async ({ body: { sessions } }) => ({ sessions: await context.importSessions(sessions) }),
  );
}

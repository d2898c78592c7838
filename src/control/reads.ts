// POST /v1/reads: one read of a service, as long as its caller waits for it.

import { z } from "zod";
import { inputField, nothing, operationName } from "../contract/api/fields.ts";
import { readAnswer } from "../contract/api/operations.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, Problem, problems } from "./problem.ts";
import { goneSignal } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

export function reads(app: App, { context, role, gate }: RouteOptions): void {
  app.post(
    "/v1/reads",
    {
      schema: {
        operationId: "runRead",
        summary: "Call a read operation of a service, within its request budget",
        description: "Aborted when the caller disconnects. A failure of the service is 502, 503 or 504.",
        tags: ["operations"],
        querystring: nothing,
        body: z.strictObject({ operation: operationName, input: inputField }),
        response: {
          200: readAnswer,
          ...problems("invalid_request", ...BODY_PROBLEMS, ...READ_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      gate.read.take(reply.raw);
      const { operation, input } = request.body;
      const signal = AbortSignal.any([goneSignal(reply.raw), context.signal]);
      try {
        const priority = role === "operator" ? "people" : "agent_reads";
        const { output, ...meta } = await context.reads.run(operation, input, signal, priority);
        return { output, meta };
      } catch (error) {
        if (signal.aborted)
          throw new Problem("service_unavailable", "The read was aborted: nexusd is stopping.", {
            cause: error,
          });
        throw error;
      }
    },
  );
}

const READ_PROBLEMS = [
  "too_many_reads",
  "tool_failed",
  "plan_limit_exceeded",
  "invalid_input",
  "not_a_read",
  "operation_not_found",
  "row_not_found",
  "session_not_found",
  "ambiguous_session",
  "operation_refused",
  "service_disabled",
  "service_error",
  "service_busy",
  "service_unavailable",
  "service_timeout",
] as const;

// What only an operator can do with a write: approve it, reject it, or record its outcome.

import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { nothing, text, writeId } from "../contract/api/fields.ts";
import { rejected, writeSchema } from "../contract/api/writes.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, problems } from "./problem.ts";
import { asText, JSON_TYPE, operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { actorOf, writeText } from "./write-view.ts";

const tags = ["writes"];
const params = z.strictObject({ id: writeId });
const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: "must be the digest of the write: 64 digits 0-9 and a-f" });
const REFUSALS = ["invalid_request", ...BODY_PROBLEMS, "operator_only", "write_not_found"] as const;

export function decisions(app: App, { context: { writes }, role }: RouteOptions): void {
  const actor = (request: { raw: IncomingMessage }) => actorOf(role, request.raw);
  const route = { onRequest: operatorOnly(role) };
  const schema = { tags, params, querystring: nothing };

  app.post(
    "/v1/writes/:id/approve",
    {
      ...route,
      schema: {
        operationId: "approveWrite",
        ...schema,
        summary: "Approve a write, exactly as it was shown (operator.sock)",
        body: z.strictObject({ digest, note: text(2000).optional() }),
        response: {
          200: asText(writeSchema),
          ...problems(
            ...REFUSALS,
            "policy_denied",
            "write_expired",
            "write_already_decided",
            "digest_mismatch",
            "stale",
            "preview_too_long",
          ),
        },
      },
    },
    async (request, reply) => {
      const { digest, note } = request.body;
      reply.type(JSON_TYPE);
      return writeText(await writes.approve(request.params.id, digest, actor(request), note));
    },
  );

  app.post(
    "/v1/writes/reject",
    {
      ...route,
      schema: {
        operationId: "rejectWrites",
        tags,
        querystring: nothing,
        summary: "Reject many proposals at once, by agent and operation (operator.sock)",
        description:
          "With `dryRun` nothing is decided: the answer lists what would be rejected. `upTo` excludes newer ones.",
        body: z
          .strictObject({
            agent: text(128).optional().describe("The name that the agent gave itself"),
            operation: text(256).optional().describe('A name, "nexus.*", or "*"'),
            upTo: writeId.optional().describe("The newest write to consider"),
            reason: text(2000),
            dryRun: z.boolean().default(false),
          })
          .refine(({ agent, operation }) => agent !== undefined || operation !== undefined, {
            error: 'needs agent or operation ("*" for every one)',
          }),
        response: {
          200: rejected,
          ...problems("invalid_request", ...BODY_PROBLEMS, "operator_only"),
        },
      },
    },
    async (request) => {
      const { agent, operation, upTo, reason, dryRun } = request.body;
      const filter = {
        ...(agent !== undefined && { agent }),
        ...(operation !== undefined && { operation }),
        ...(upTo !== undefined && { upTo }),
        dryRun,
      };
      return await writes.rejectAll(filter, reason, actor(request));
    },
  );

  app.post(
    "/v1/writes/:id/reject",
    {
      ...route,
      schema: {
        operationId: "rejectWrite",
        ...schema,
        summary: "Reject a write, with a reason that the agent can read (operator.sock)",
        body: z.strictObject({ reason: text(2000) }),
        response: {
          200: asText(writeSchema),
          ...problems(...REFUSALS, "write_expired", "write_already_decided"),
        },
      },
    },
    async (request, reply) => {
      reply.type(JSON_TYPE);
      return writeText(await writes.reject(request.params.id, request.body.reason, actor(request)));
    },
  );

  app.post(
    "/v1/writes/:id/resolve",
    {
      ...route,
      schema: {
        operationId: "resolveWrite",
        ...schema,
        summary: "Record the outcome of a write that ended as unknown (operator.sock)",
        body: z.strictObject({ outcome: z.enum(["succeeded", "failed"]), note: text(2000) }),
        response: { 200: asText(writeSchema), ...problems(...REFUSALS, "write_not_unknown") },
      },
    },
    async (request, reply) => {
      reply.type(JSON_TYPE);
      const { outcome, note } = request.body;
      return writeText(await writes.resolve(request.params.id, outcome, note, actor(request)));
    },
  );
}

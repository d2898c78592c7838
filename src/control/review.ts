// What a person needs to know about a write before deciding on it, in one answer.

import { z } from "zod";
import { nothing, writeId } from "../contract/api/fields.ts";
import { writeReview } from "../contract/api/writes.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { renderPreview } from "../writes/preview.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import { asText, JSON_TYPE } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { actorOf, signingOf, writeText } from "./write-view.ts";

export function review(app: App, { context: { writes }, role, gate }: RouteOptions): void {
  app.get(
    "/v1/writes/:id/review",
    {
      config: { isExpensive: true },
      // On operator.sock a GET counts as shown; a HEAD does not.
      exposeHeadRoute: false,
      schema: {
        operationId: "reviewWrite",
        summary:
          "A write with what it is about, the difference to the one approved before, and what else was done to its target",
        description: "On operator.sock the audit log records that it was shown.",
        tags: ["writes"],
        params: z.strictObject({ id: writeId }),
        querystring: nothing,
        response: { 200: asText(writeReview), ...problems("invalid_request", "write_not_found") },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const write = await (role === "operator"
        ? writes.show(id, actorOf(role, request.raw))
        : writes.get(id));
      const rest = {
        preview: renderPreview(write, { maxBodyLines: gate.limits().preview_lines }),
        ...(await writes.review(write)),
      };
      const shown = writeText(write, { signing: signingOf(writes, write) });
      return reply.type(JSON_TYPE).send(`{"write":${shown},${stringifyJson(rest).slice(1)}`);
    },
  );
}

// /v1/audit: the record of every write, and whether it is whole.

import { z } from "zod";
import { WRITE_STATES } from "../writes/types.ts";
import type { App } from "./app.ts";
import { limitQuery, nothing, sequence, writeId } from "./fields.ts";
import { problems } from "./problem.ts";
import { operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { actor } from "./write-view.ts";

const tags = ["audit"];

const auditRow = z
  .object({
    sequence: z.int(),
    at: z.string(),
    action: z.enum(["shown", ...WRITE_STATES]),
    writeId: z.string(),
    digest: z.string(),
    actor,
    detail: z.string().describe("Canonical JSON"),
    previousHash: z.string(),
    hash: z.string().describe("SHA-256 over all the other fields"),
  })
  .meta({ id: "AuditRow" });

export function audit(app: App, { context: { store }, role }: RouteOptions): void {
  app.get(
    "/v1/audit",
    {
      onRequest: operatorOnly(role),
      schema: {
        summary: "The oldest rows of the audit log after a position (operator.sock)",
        tags,
        querystring: z.strictObject({
          after: sequence.default(0).describe("The last row already known; default 0"),
          limit: limitQuery,
          writeId: writeId.optional().describe("Only the rows of this write"),
        }),
        response: {
          200: z.object({ rows: z.array(auditRow), next: z.int().describe("What to pass as `after` next") }),
          ...problems("invalid_request", "operator_only"),
        },
      },
    },
    async (request) => {
      const { after, limit, writeId } = request.query;
      const rows = await store.readAudit({ after, limit, ...(writeId && { writeId }) });
      return { rows, next: rows.at(-1)?.sequence ?? after };
    },
  );

  app.get(
    "/v1/audit/verify",
    {
      onRequest: operatorOnly(role),
      schema: {
        summary: "Whether every row of the audit log is as it was written (operator.sock)",
        tags,
        querystring: nothing,
        response: {
          200: z.object({
            ok: z.boolean(),
            rows: z.int(),
            head: z
              .string()
              .nullable()
              .describe("The hash of the last row: kept elsewhere, it proves the rest"),
            brokenAt: z.object({ sequence: z.int(), why: z.string() }).optional(),
          }),
          ...problems("invalid_request", "operator_only"),
        },
      },
    },
    async () => await store.verifyAudit(),
  );
}

// /v1/audit: the record of every write, and whether it is intact.

import { z } from "zod";
import { shownActor } from "../contract/actor.ts";
import { auditPage, auditRow, auditVerdict } from "../contract/api/audit.ts";
import { limitQuery, nothing, sequence, text, writeId } from "../contract/api/fields.ts";
import { whatIsWrong } from "../contract/audit.ts";
import type { AuditRow } from "../contract/writes.ts";
import { isoTime } from "../core/clock.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, Problem, problems } from "./problem.ts";
import { operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { actorOf } from "./write-view.ts";

const tags = ["audit"];

const rowError = "must be the number of a row, an integer from 1";
const rowNumber = z.int({ error: rowError }).min(1, { error: rowError });
const hashError = "must be the hash of the row: 64 digits 0-9 and a-f";
const rowHash = z.string({ error: hashError }).regex(/^[0-9a-f]{64}$/, { error: hashError });

export function audit(app: App, { context: { store, clock, audit: view }, role }: RouteOptions): void {
  app.get(
    "/v1/audit",
    {
      onRequest: operatorOnly(role),
      schema: {
        operationId: "listAuditRows",
        summary: "The oldest rows of the audit log after a position (operator.sock)",
        tags,
        querystring: z.strictObject({
          after: sequence.default(0).describe("The last row already known; default 0"),
          limit: limitQuery,
          writeId: writeId.optional().describe("Only the rows of this write"),
        }),
        response: {
          200: auditPage,
          ...problems("invalid_request", "operator_only"),
        },
      },
    },
    async (request) => {
      const { after, limit, writeId } = request.query;
      const rows = await store.readAudit({ after, limit, ...(writeId && { writeId }) });
      return { rows: rows.map(shownRow), next: rows.at(-1)?.sequence ?? after };
    },
  );

  app.get(
    "/v1/audit/verify",
    {
      onRequest: operatorOnly(role),
      schema: {
        operationId: "verifyAudit",
        summary: "Verify the audit log, and that the writes and their events match it (operator.sock)",
        tags,
        querystring: z.strictObject({
          head: rowHash.optional().describe("The hash of a row, noted elsewhere: it must be in the chain"),
        }),
        response: {
          200: auditVerdict,
          ...problems("invalid_request", "operator_only"),
        },
      },
    },
    async (request) => await view.verify(request.query.head),
  );

  app.post(
    "/v1/audit/checkpoints",
    {
      onRequest: operatorOnly(role),
      schema: {
        operationId: "createAuditCheckpoint",
        summary: "Sign off the audit log up to a row (operator.sock)",
        description:
          "Adds a row `checkpoint`. Only rows before a checkpoint are ever removed, and only if `keep_audit` is set.",
        tags,
        querystring: nothing,
        body: z.strictObject({
          sequence: rowNumber,
          hash: rowHash.describe("The hash of that row, as the operator saw it"),
          note: text(2000).optional(),
        }),
        response: {
          200: auditRow.describe("The new checkpoint, or an earlier one that reaches as far"),
          ...problems(
            "invalid_request",
            ...BODY_PROBLEMS,
            "operator_only",
            "audit_row_not_found",
            "audit_broken",
            "digest_mismatch",
          ),
        },
      },
    },
    async (request) => {
      const { sequence, hash, note = null } = request.body;
      const verdict = await view.verify();
      if (!verdict.ok) throw new Problem("audit_broken", `${whatIsWrong(verdict)} Nothing was signed off.`);
      const result = await store.signOffAudit(
        { sequence, hash, note },
        actorOf(role, request.raw),
        isoTime(clock.now()),
      );
      if (!result)
        throw new Problem(
          "audit_row_not_found",
          `There is no row ${sequence}: GET /v1/audit lists the rows.`,
        );
      if (result.kind === "hash_mismatch")
        throw new Problem("digest_mismatch", `Row ${sequence} has another hash. Nothing was signed off.`);
      if (result.kind === "signed") view.note(result.row.sequence, result.row.hash);
      return shownRow(result.row);
    },
  );
}

const shownRow = (row: AuditRow) => ({ ...row, actor: shownActor(row.actor) });

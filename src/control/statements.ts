// Decisions made on another machine: the text to sign, and the signature that comes back. On either socket, since
// neither gives any right.

import { z } from "zod";
import { text, writeId } from "../contract/api/fields.ts";
import { writeSchema } from "../contract/api/writes.ts";
import { DECISIONS } from "../contract/signing.ts";
import { CANNOT_VERIFY, REFUSED } from "../signatures/error.ts";
import { LONGEST_SIGNATURE } from "../signatures/sshsig.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, problems } from "./problem.ts";
import { asText, JSON_TYPE } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { actorOf, writeText } from "./write-view.ts";

const tags = ["writes"];
const params = z.strictObject({ id: writeId });
const LONGEST_STATEMENT = 2 ** 20;
const NOT_OPEN = ["write_not_found", "write_expired", "write_already_decided"] as const;
const NOT_TO_APPROVE = ["policy_denied", "stale", "preview_too_long"] as const;

const decision = z
  .enum(DECISIONS, { error: 'must be "approve" or "reject"' })
  .default("approve")
  .describe("The decision that the statement states; default: approve");

export function statements(app: App, { context: { writes }, role }: RouteOptions): void {
  app.get(
    "/v1/writes/:id/statement",
    {
      schema: {
        operationId: "getStatement",
        summary: "A decision about a write, as a text to read and sign",
        description:
          "The bytes stay the same while the write waits: sign them with `ssh-keygen -Y sign -n nexusd-decision`.",
        tags,
        params,
        querystring: z.strictObject({ decision }),
        response: {
          200: { description: "The statement", content: { "text/plain": { schema: z.string() } } },
          ...problems("invalid_request", ...NOT_OPEN, ...NOT_TO_APPROVE),
        },
      },
    },
    async (request, reply) => {
      const statement = await writes.statement(request.params.id, request.query.decision);
      reply.type("text/plain; charset=utf-8");
      return statement;
    },
  );

  app.post(
    "/v1/writes/:id/decide",
    {
      schema: {
        operationId: "decideWrite",
        summary: "Decide a write by a signed statement, whoever sends it",
        description:
          "The write stays `proposed` while the policy requires more signers: `signedBy` lists those who have signed.",
        tags,
        params,
        querystring: z.strictObject({}),
        body: z.strictObject({
          statement: text(LONGEST_STATEMENT).describe("The text that was signed, byte for byte"),
          signature: text(LONGEST_SIGNATURE).describe("Armored, as `ssh-keygen -Y sign` prints it"),
          signer: text(256).describe("The name (principal) in the file of signers"),
        }),
        response: { 200: asText(writeSchema), ...problems("invalid_request", ...BODY_PROBLEMS, ...REFUSALS) },
      },
    },
    async (request, reply) => {
      reply.type(JSON_TYPE);
      return writeText(await writes.decide(request.params.id, request.body, actorOf(role, request.raw)));
    },
  );
}

const REFUSALS = [
  ...NOT_OPEN,
  ...NOT_TO_APPROVE,
  "digest_mismatch",
  "statement_malformed",
  "statement_version",
  "statement_other_epoch",
  "statement_other_write",
  "statement_mismatch",
  "statement_expired",
  "statement_used",
  "signer_not_allowed",
  ...REFUSED,
  ...CANNOT_VERIFY,
] as const;

// /v1/writes: proposing, following and withdrawing; deciding is in decisions.ts.

import { z } from "zod";
import {
  inputField,
  limitQuery,
  nothing,
  operationName,
  PAGE_LENGTH,
  text,
  ttlField,
  waitQuery,
  writeId,
} from "../contract/api/fields.ts";
import { proposed, shownWrite, writePage, writeSchema, writeState } from "../contract/api/writes.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { renderPreview } from "../writes/preview.ts";
import { proposalTooLarge } from "../writes/refusals.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, problems } from "./problem.ts";
import { asText, goneSignal, JSON_TYPE, noBody } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { newToken, shownToken, tokenHash } from "./token.ts";
import { actorOf, signingOf, writeText } from "./write-view.ts";

const tags = ["writes"];
const params = z.strictObject({ id: writeId });

const proposal = z.strictObject({
  operation: operationName,
  input: inputField,
  reason: text(2000).optional().describe("The reason, shown to whoever decides"),
  idempotencyKey: text(256).optional().describe("The same key and input gives the same write"),
  agent: text(128).optional().describe("A name that the agent gives itself; it is not verified"),
  ttl: ttlField.optional(),
  bind: z
    .boolean()
    .default(false)
    .describe("Whether an agent needs a token to cancel it; the token is returned once"),
});

const stateQuery = z
  .preprocess(
    (value) => (value === undefined ? value : [value].flat().flatMap((part) => String(part).split(","))),
    z.array(writeState).optional(),
  )
  .describe("States, comma separated or repeated; default: all");

export function writes(app: App, { context, role, gate }: RouteOptions): void {
  const { writes } = context;
  const refuseLong = refuseLongProposal(gate);

  app.post(
    "/v1/writes",
    {
      onRequest: async ({ headers }) => refuseLong(headers["content-length"]),
      schema: {
        operationId: "proposeWrite",
        summary: "Propose a write",
        description:
          "202: it is stored. It is executed only after it is approved, by the policy or a person.",
        tags,
        querystring: nothing,
        body: proposal,
        response: {
          200: asText(writeSchema.describe("The write that was proposed earlier with this idempotency key")),
          202: asText(proposed),
          ...problems("invalid_request", ...BODY_PROBLEMS, ...PROPOSAL_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const { operation, input, reason, idempotencyKey, agent, ttl, bind } = request.body;
      const token = bind ? newToken() : undefined;
      const { write, isNew } = await writes.propose(
        {
          ...{ operation, input },
          ...(reason !== undefined && { reason }),
          ...(idempotencyKey !== undefined && { idempotencyKey }),
          ...(agent !== undefined && { agent }),
          ...(ttl !== undefined && { ttlMs: ttl }),
        },
        actorOf(role, request.raw),
        token && tokenHash(token),
      );
      reply.type(JSON_TYPE);
      if (!isNew) return reply.code(200).send(writeText(write));
      return reply.code(202).send(writeText(write, token === undefined ? {} : { token }));
    },
  );

  app.get(
    "/v1/writes",
    {
      config: { isExpensive: true },
      schema: {
        operationId: "listWrites",
        summary: "Writes, newest first",
        tags,
        querystring: z.strictObject({
          state: stateQuery,
          after: writeId.optional().describe("Only writes older than this one"),
          limit: limitQuery,
          view: z
            .enum(["whole", "summary"], { error: 'must be "whole" or "summary"' })
            .default("whole")
            .describe("summary: without request, preview and result, for lists of thousands"),
        }),
        response: {
          200: asText(writePage),
          ...problems("invalid_request", "write_not_found"),
        },
      },
    },
    async (request, reply) => {
      const { state: states, after, limit, view } = request.query;
      if (after !== undefined) await writes.get(after);
      const wanted = { limit, maxLength: PAGE_LENGTH, ...(states && { states }) };
      const query = { ...wanted, ...(after && { after }) };
      const page = view === "summary" ? await writes.summaries(query) : await writes.list(query);
      const last = page.at(-1)?.id;
      const more = last === undefined ? [] : await writes.summaries({ ...wanted, limit: 1, after: last });
      const texts = page.map((one) => ("request" in one ? writeText(one) : stringifyJson(one)));
      const next = more.length > 0 ? (last ?? null) : null;
      return reply.type(JSON_TYPE).send(`{"writes":[${texts.join(",")}],"next":${JSON.stringify(next)}}`);
    },
  );

  app.get(
    "/v1/writes/:id",
    {
      // On operator.sock a GET counts as shown; a HEAD does not.
      exposeHeadRoute: false,
      schema: {
        operationId: "getWrite",
        summary: "A write; with `wait`, as soon as it has left its current state",
        description: "On operator.sock the audit log records that it was shown.",
        tags,
        params,
        querystring: z.strictObject({ wait: waitQuery }),
        response: {
          200: asText(shownWrite),
          ...problems("invalid_request", "write_not_found", "too_many_long_polls"),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { wait } = request.query;
      if (wait > 0) gate.longPoll.take(reply.raw);
      let write = await (role === "operator" ? writes.show(id, actorOf(role, request.raw)) : writes.get(id));
      if (wait > 0) {
        const signal = AbortSignal.any([goneSignal(reply.raw), context.signal]);
        write = await writes.waitFor(id, write.state, wait, signal);
      }
      const previewText = renderPreview(write, { maxBodyLines: gate.limits().preview_lines });
      const signing = signingOf(writes, write);
      return reply.type(JSON_TYPE).send(writeText(write, { previewText, signing }));
    },
  );

  app.post(
    "/v1/writes/:id/cancel",
    {
      preValidation: noBody,
      schema: {
        operationId: "cancelWrite",
        summary:
          "Cancel a write that is not decided yet; on operator.sock also an approved one that has not started",
        description: "On agent.sock a write that was proposed with `bind` needs the header Nexusd-Token.",
        tags,
        params,
        querystring: nothing,
        response: {
          200: asText(writeSchema),
          ...problems(
            ...(["invalid_request", "write_not_found", "write_already_decided", "write_expired"] as const),
            "token_required",
          ),
        },
      },
    },
    async (request, reply) => {
      reply.type(JSON_TYPE);
      return writeText(
        await writes.cancel(request.params.id, actorOf(role, request.raw), shownToken(role, request.headers)),
      );
    },
  );
}

/** Before it has arrived. A body without a length is measured once it is read. */
const refuseLongProposal =
  (gate: RouteOptions["gate"]) =>
  (contentLength: string | undefined): void => {
    const { proposal_bytes: most } = gate.limits();
    if (Number(contentLength ?? 0) > most) throw proposalTooLarge(most);
  };

const PROPOSAL_PROBLEMS = [
  "invalid_input",
  "not_a_write",
  "policy_denied",
  "operation_not_found",
  "row_not_found",
  "session_not_found",
  "ambiguous_session",
  "idempotency_conflict",
  "operation_refused",
  "recently_rejected",
  "service_disabled",
  "secret_in_text",
  "proposal_too_large",
  "too_many_open_proposals",
  "service_error",
  "service_busy",
  "service_unavailable",
  "service_timeout",
] as const;

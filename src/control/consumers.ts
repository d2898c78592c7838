// /v1/consumers: named reading positions that outlive their readers.

import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { consumer, consumerPage, placed } from "../contract/api/consumers.ts";
import { eventPage } from "../contract/api/events.ts";
import {
  consumerName,
  limitQuery,
  nothing,
  PAGE_LENGTH,
  pageLimit,
  position,
  typePatterns,
  waitQuery,
} from "../contract/api/fields.ts";
import { checkPosition } from "../contract/position.ts";
import type { Consumer } from "../contract/store.ts";
import type { App } from "./app.ts";
import { pageText } from "./events.ts";
import { BODY_PROBLEMS, Problem, problems } from "./problem.ts";
import { asText, goneSignal, JSON_TYPE, noBody } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { newToken, notYours, shownToken, tokenHash } from "./token.ts";
import { checkTypes } from "./types.ts";

const tags = ["consumers"];
const params = z.strictObject({ name: consumerName });

const placement = z.strictObject({
  from: z
    .union([z.literal("oldest"), z.literal("latest"), position], {
      error: 'must be "oldest", "latest" or the last sequence already known',
    })
    .describe("Where it begins: an end of the log, or the last sequence already known"),
  types: typePatterns.optional(),
  bind: z
    .boolean()
    .default(false)
    .describe("Of a new one: whether an agent needs its token, which is answered once, to change it"),
});

export function consumers(app: App, { context, role, tail, gate }: RouteOptions): void {
  const { store } = context;
  const proofOf = ({ headers }: { headers: IncomingHttpHeaders }) => {
    const proof = shownToken(role, headers);
    return proof === undefined ? {} : { proof };
  };

  app.get(
    "/v1/consumers",
    {
      schema: {
        operationId: "listConsumers",
        summary: "The consumers, in the order of their names",
        tags,
        querystring: z.strictObject({
          after: consumerName.optional().describe("Only those behind this name"),
          limit: pageLimit,
        }),
        response: {
          200: consumerPage,
          ...problems("invalid_request"),
        },
      },
    },
    async (request) => {
      const { after, limit } = request.query;
      // One more, which tells whether there is another page.
      const found = await store.readConsumers({ ...(after !== undefined && { after }), limit: limit + 1 });
      const consumers = found.slice(0, limit);
      return { consumers, next: found.length > limit ? (consumers.at(-1)?.name ?? null) : null };
    },
  );

  app.put(
    "/v1/consumers/:name",
    {
      schema: {
        operationId: "putConsumer",
        summary: "Create a consumer, or place one anew",
        tags,
        params,
        querystring: nothing,
        body: placement,
        response: {
          200: consumer,
          201: placed,
          ...problems(
            ...(["invalid_request", ...BODY_PROBLEMS, "cursor_ahead", "token_required"] as const),
            ...(["too_many_consumers", "too_many_types"] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { from, types, bind } = request.body;
      if (typeof from === "number") await checkPosition(store, from);
      const { consumers: most, consumer_types: mostTypes } = gate.limits();
      if (types && types.length > mostTypes)
        throw new Problem(
          "too_many_types",
          `A consumer can have ${mostTypes} event types or patterns, and this one would have ${types.length}: use patterns such as "messaging.*", or raise limits.consumer_types.`,
        );
      await checkTypes(context, types, "types");
      const isNew = (await store.readConsumer(name)) === undefined;
      const token = bind && isNew ? newToken() : undefined;
      const placed = await store.putConsumer(name, from, types, most, {
        ...proofOf(request),
        ...(token !== undefined && { bindTo: tokenHash(token) }),
      });
      if (placed === "bound") throw notYours(`The consumer "${name}"`);
      if (placed === undefined)
        throw new Problem(
          "too_many_consumers",
          `There are ${most} consumers, which is the limit. Delete those that nobody uses, or raise limits.consumers.`,
        );
      // Of two requests that make it at once only the one that did may have the token.
      return reply
        .code(isNew ? 201 : 200)
        .send({ ...placed, ...(token !== undefined && placed.isBound && { token }) });
    },
  );

  app.get(
    "/v1/consumers/:name/events",
    {
      schema: {
        operationId: "readConsumerEvents",
        summary:
          "The oldest events that the consumer has not acknowledged; with `wait`, as soon as there is one",
        tags,
        params,
        querystring: z.strictObject({ limit: limitQuery, wait: waitQuery }),
        response: {
          200: asText(eventPage),
          ...problems("invalid_request", "consumer_not_found", "too_many_long_polls"),
        },
      },
    },
    async (request, reply) => {
      const { position, types } = known(await store.readConsumer(request.params.name), request.params.name);
      const { limit, wait } = request.query;
      if (wait > 0) gate.longPoll.take(reply.raw);
      const wanted = { after: position, limit, maxLength: PAGE_LENGTH, ...(types && { types }) };
      const page = await tail.read(wanted, wait, goneSignal(reply.raw));
      return reply.type(JSON_TYPE).send(pageText(store.epoch, page));
    },
  );

  app.post(
    "/v1/consumers/:name/ack",
    {
      schema: {
        operationId: "acknowledgeEvents",
        summary: "Move the position forward; a sequence behind it changes nothing",
        tags,
        params,
        querystring: nothing,
        body: z.strictObject({ sequence: position.describe("The last sequence that is done with") }),
        response: {
          200: consumer,
          ...problems(
            ...(["invalid_request", ...BODY_PROBLEMS, "consumer_not_found", "cursor_ahead"] as const),
            "token_required",
          ),
        },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { sequence } = request.body;
      known(await store.readConsumer(name), name);
      await checkPosition(store, sequence);
      const moved = await store.ackConsumer(name, sequence, proofOf(request));
      if (moved === "bound") throw notYours(`The consumer "${name}"`);
      return known(moved, name);
    },
  );

  app.delete(
    "/v1/consumers/:name",
    {
      preValidation: noBody,
      schema: {
        operationId: "deleteConsumer",
        summary: "Forget a consumer",
        tags,
        params,
        querystring: nothing,
        response: {
          204: z.undefined().describe("Forgotten"),
          ...problems("invalid_request", "consumer_not_found", "token_required"),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const isDeleted = await store.deleteConsumer(name, proofOf(request));
      if (isDeleted === "bound") throw notYours(`The consumer "${name}"`);
      if (!isDeleted) throw missing(name);
      return reply.code(204).send();
    },
  );
}

const missing = (name: string) =>
  new Problem("consumer_not_found", `There is no consumer "${name}". PUT /v1/consumers/${name} creates it.`);

function known(consumer: Consumer | undefined, name: string): Consumer {
  if (consumer === undefined) throw missing(name);
  return consumer;
}

// /v1/consumers/{name}/events and ack: reading a consumer's pending events, and acknowledging them.

import { z } from "zod";
import { consumer } from "../contract/api/consumers.ts";
import { eventPage } from "../contract/api/events.ts";
import { limitQuery, nothing, PAGE_LENGTH, position, waitQuery } from "../contract/api/fields.ts";
import { checkPosition } from "../contract/position.ts";
import type { App } from "./app.ts";
import { consumerParams, consumerTags, known } from "./consumers.ts";
import { pageText } from "./events.ts";
import { BODY_PROBLEMS, problems } from "./problem.ts";
import { asText, goneSignal, JSON_TYPE } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { notYours, proofIn } from "./token.ts";

export function consumerEvents(app: App, { context, role, tail, gate, handedOut }: RouteOptions): void {
  const { store } = context;

  app.get(
    "/v1/consumers/:name/events",
    {
      schema: {
        operationId: "readConsumerEvents",
        summary:
          "The oldest events that the consumer has not acknowledged; with `wait`, as soon as there is one",
        tags: consumerTags,
        params: consumerParams,
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
      handedOut.toConsumer(request.params.name, page.next);
      return reply.type(JSON_TYPE).send(pageText(store.epoch, page));
    },
  );

  app.post(
    "/v1/consumers/:name/ack",
    {
      schema: {
        operationId: "acknowledgeEvents",
        summary: "Move the position forward; a sequence behind it changes nothing",
        description:
          "The sequence of an event that was served, or `next` of a page. Anything that was not served to the consumer is refused with `ack_out_of_order`.",
        tags: consumerTags,
        params: consumerParams,
        querystring: nothing,
        body: z.strictObject({ sequence: position.describe("The last sequence that has been handled") }),
        response: {
          200: consumer,
          ...problems(
            ...(["invalid_request", ...BODY_PROBLEMS, "consumer_not_found", "cursor_ahead"] as const),
            ...(["ack_out_of_order", "token_required"] as const),
          ),
        },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { sequence } = request.body;
      known(await store.readConsumer(name), name);
      await checkPosition(store, sequence);
      handedOut.check(name, sequence);
      const moved = await store.ackConsumer(name, sequence, proofIn(role, request.headers));
      if (moved === "bound") throw notYours(`The consumer "${name}"`);
      return known(moved, name);
    },
  );
}

// GET /v1/events: pages of the log, oldest first, with a long poll at the end.

import { z } from "zod";
import { eventPage } from "../contract/api/events.ts";
import {
  afterQuery,
  epochQuery,
  limitQuery,
  PAGE_LENGTH,
  typeQuery,
  waitQuery,
} from "../contract/api/fields.ts";
import { checkEpoch, refuseAhead } from "../contract/position.ts";
import type { EventPage, EventQuery } from "../contract/store.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import { asText, goneSignal, JSON_TYPE } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { checkTypes } from "./types.ts";

const query = z.strictObject({
  after: afterQuery,
  limit: limitQuery,
  type: typeQuery,
  wait: waitQuery,
  epoch: epochQuery,
});

export function events(app: App, { context, tail, gate, handedOut }: RouteOptions): void {
  const { store } = context;
  app.get(
    "/v1/events",
    {
      schema: {
        operationId: "listEvents",
        summary: "The oldest events after a position; with `wait`, as soon as there is one",
        tags: ["events"],
        querystring: query,
        response: {
          200: asText(eventPage),
          ...problems("invalid_request", "cursor_ahead", "epoch_changed", "too_many_long_polls"),
        },
      },
    },
    async (request, reply) => {
      const { after, limit, type, wait, epoch } = request.query;
      checkEpoch(store, epoch);
      await checkTypes(context, type, "type");
      if (wait > 0) gate.longPoll.take(reply.raw);
      const wanted: EventQuery = { after, limit, maxLength: PAGE_LENGTH, ...(type && { types: type }) };
      const page = await tail.read(wanted, wait, goneSignal(reply.raw));
      refuseAhead(after, page.latest);
      handedOut.toReader(page.next);
      return reply.type(JSON_TYPE).send(pageText(store.epoch, page));
    },
  );
}

/** The answer, with the events as stored. */
export const pageText = (epoch: string, { events, next, oldest, latest, gap }: EventPage): string =>
  `{"epoch":${JSON.stringify(epoch)},"events":[${events.map(({ json }) => json).join(",")}],` +
  `"next":${next},"oldest":${oldest},"latest":${latest},"gap":${JSON.stringify(gap)}}`;

// /v1/consumers: named cursors that outlive their readers.

import type { IncomingHttpHeaders } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import {
  consumer,
  consumerDetail,
  consumerPage,
  type ListedConsumer,
  placed,
} from "../contract/api/consumers.ts";
import {
  consumerName,
  nothing,
  pageLimit,
  position,
  sequence,
  typePatterns,
  waitQuery,
} from "../contract/api/fields.ts";
import { checkPosition } from "../contract/position.ts";
import type { Consumer, Pending } from "../contract/store.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, Problem, problems } from "./problem.ts";
import { goneSignal, noBody } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { newToken, notYours, proofIn, tokenHash } from "./token.ts";
import { checkTypes } from "./types.ts";

export const consumerTags = ["consumers"];
export const consumerParams = z.strictObject({ name: consumerName });

const placement = z.strictObject({
  from: z
    .union([z.literal("oldest"), z.literal("latest"), position], {
      error: 'must be "oldest", "latest" or the last sequence already known',
    })
    .describe("Where it starts: an end of the log, or the last sequence already known"),
  types: typePatterns.optional(),
  bind: z
    .boolean()
    .default(false)
    .describe("For a new one: whether an agent needs its token, which is returned once, to change it"),
});

export function consumers(app: App, { context, role, tail, gate, handedOut }: RouteOptions): void {
  const { store, clock } = context;

  app.get(
    "/v1/consumers",
    {
      config: { isExpensive: true },
      schema: {
        operationId: "listConsumers",
        summary: "All consumers, ordered by name",
        tags: consumerTags,
        querystring: z.strictObject({
          after: consumerName.optional().describe("Only those after this name"),
          limit: pageLimit,
          pending: z
            .stringbool({ truthy: ["true"], falsy: ["false"] })
            .default(false)
            .describe("Also what each has pending"),
        }),
        response: {
          200: consumerPage,
          ...problems("invalid_request"),
        },
      },
    },
    async (request) => {
      const { after, limit, pending } = request.query;
      // One more than asked for, to know whether there is another page.
      const found = await store.readConsumers({ ...(after !== undefined && { after }), limit: limit + 1 });
      const consumers = found.slice(0, limit);
      const next = found.length > limit ? (consumers.at(-1)?.name ?? null) : null;
      if (!pending) return { consumers, next };
      const counted: ListedConsumer[] = [];
      for (const one of consumers) {
        counted.push(detail(one, await store.pending(one.name)));
        await nextTurn();
      }
      return { consumers: counted, next };
    },
  );

  app.put(
    "/v1/consumers/:name",
    {
      schema: {
        operationId: "putConsumer",
        summary: "Create a consumer, or reset an existing one; with `If-None-Match: *` only create it",
        tags: consumerTags,
        params: consumerParams,
        querystring: nothing,
        body: placement,
        response: {
          200: consumer,
          201: placed,
          ...problems(
            ...(["invalid_request", ...BODY_PROBLEMS, "cursor_ahead", "token_required"] as const),
            ...(["consumer_exists", "too_many_consumers", "too_many_types"] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { from, types, bind } = request.body;
      const isNewWanted = wantsNew(request.headers);
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
        ...proofIn(role, request.headers),
        ...(token !== undefined && { bindTo: tokenHash(token) }),
        isNew: isNewWanted,
      });
      if (placed === "exists")
        throw new Problem("consumer_exists", `The consumer "${name}" already exists. It was not changed.`);
      if (placed === "bound") throw notYours(`The consumer "${name}"`);
      if (placed === undefined)
        throw new Problem(
          "too_many_consumers",
          `There are ${most} consumers, which is the limit. Delete unused ones, or raise limits.consumers.`,
        );
      handedOut.forget(name);
      // If two requests create it at once, only the one that did may get the token.
      return reply
        .code(isNew ? 201 : 200)
        .send({ ...placed, ...(token !== undefined && placed.isBound && { token }) });
    },
  );

  app.get(
    "/v1/consumers/:name",
    {
      schema: {
        operationId: "getConsumer",
        summary: "A consumer and what it has pending; with `wait`, as soon as something is, after `after`",
        tags: consumerTags,
        params: consumerParams,
        querystring: z.strictObject({
          wait: waitQuery,
          after: sequence.default(0).describe("Wait for something newer than this sequence"),
        }),
        response: {
          200: consumerDetail,
          ...problems("invalid_request", "consumer_not_found", "too_many_long_polls"),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { wait, after } = request.query;
      known(await store.readConsumer(name), name);
      if (wait > 0) gate.longPoll.take(reply.raw);
      const signal = goneSignal(reply.raw);
      const deadline = clock.monotonic() + wait;
      for (;;) {
        const { latest } = await store.readEvents({ after: 0, limit: 0 });
        const found = detail(known(await store.readConsumer(name), name), await store.pending(name));
        if ((found.pending.newest ?? 0) > after) return found;
        if ((await tail.wait(latest, deadline - clock.monotonic(), signal)) !== "appended") return found;
      }
    },
  );

  app.delete(
    "/v1/consumers/:name",
    {
      preValidation: noBody,
      schema: {
        operationId: "deleteConsumer",
        summary: "Forget a consumer",
        tags: consumerTags,
        params: consumerParams,
        querystring: nothing,
        response: {
          204: z.undefined().describe("Forgotten"),
          ...problems("invalid_request", "consumer_not_found", "token_required"),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const isDeleted = await store.deleteConsumer(name, proofIn(role, request.headers));
      if (isDeleted === "bound") throw notYours(`The consumer "${name}"`);
      if (!isDeleted) throw missingConsumer(name);
      handedOut.forget(name);
      return reply.code(204).send();
    },
  );
}

/** `If-None-Match: *` is the only supported condition: a consumer has no versions to compare. @throws Problem */
function wantsNew({ "if-none-match": condition }: IncomingHttpHeaders): boolean {
  if (condition === undefined) return false;
  if (condition.trim() === "*") return true;
  const errors = [{ path: "If-None-Match", message: 'must be "*"' }];
  throw new Problem("invalid_request", 'If-None-Match must be "*": create it only if there is none', {
    errors,
  });
}

function detail(consumer: Consumer, pending: Pending | undefined) {
  return { ...consumer, pending: pending ?? NOTHING_PENDING };
}

/** For a consumer that was deleted between the two reads. */
const NOTHING_PENDING: Pending = {
  ...{ count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} },
};

const missingConsumer = (name: string) =>
  new Problem("consumer_not_found", `There is no consumer "${name}". PUT /v1/consumers/${name} creates it.`);

export function known(consumer: Consumer | undefined, name: string): Consumer {
  if (consumer === undefined) throw missingConsumer(name);
  return consumer;
}

// /v1/sinks: which sinks are woken when there is something to read, and the operator's control over them.

import { z } from "zod";
import { consumerName, nothing } from "../contract/api/fields.ts";
import { type SinkStatus, sinkStatus, sinksAnswer, sinkTest } from "../contract/api/sinks.ts";
import { isoTime } from "../core/clock.ts";
import { within } from "../core/within.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import { noBody, operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

const params = z.strictObject({ name: consumerName }); // the configuration uses the same rule for names of sinks

const tags = ["sinks"];
const WAIT_MS = 10_000;

export function sinks(app: App, { context, role }: RouteOptions): void {
  const { sinks, clock } = context;

  app.get(
    "/v1/sinks",
    {
      schema: {
        operationId: "listSinks",
        summary: "All sinks, and whether their events are being read",
        tags,
        querystring: nothing,
        response: { 200: sinksAnswer, ...problems("invalid_request") },
      },
    },
    async () => ({ asOf: isoTime(clock.now()), sinks: await sinks.list() }),
  );

  app.post(
    "/v1/sinks/:name/wake",
    {
      onRequest: operatorOnly(role),
      preValidation: noBody,
      schema: {
        operationId: "wakeSink",
        summary: "Wake now for what is pending, without waiting for the next scheduled wake (operator.sock)",
        description:
          "It counts like any other wake. 200 once the target has accepted or refused it; 202 if it is still in progress after 10 s.",
        tags,
        params,
        querystring: nothing,
        response: {
          200: sinkStatus,
          202: sinkStatus,
          ...problems(
            ...(["invalid_request", "operator_only", "sink_not_found", "nothing_pending"] as const),
            ...(["sink_elsewhere", "sink_paused", "sink_busy", "too_many_wakes"] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const sink = sinks.named(request.params.name);
      const hasEnded = await within(clock, WAIT_MS, sink.wakeNow(), context.signal);
      return reply.code(hasEnded ? 200 : 202).send(await sink.status());
    },
  );

  app.post(
    "/v1/sinks/:name/test",
    {
      onRequest: operatorOnly(role),
      preValidation: noBody,
      schema: {
        operationId: "testSink",
        summary: "Send one wake that is marked as a test, and return the target's answer (operator.sock)",
        description:
          "Works even if nothing is pending or the sink is paused. It changes nothing: no position, no limit, no state. 202 if the target has not answered after 10 s.",
        tags,
        params,
        querystring: nothing,
        response: {
          200: sinkTest,
          202: sinkTest,
          ...problems("invalid_request", "operator_only", "sink_not_found", "sink_elsewhere", "sink_busy"),
        },
      },
    },
    async (request, reply) => {
      const sink = sinks.named(request.params.name);
      const test = await within(clock, WAIT_MS, sink.test(), context.signal);
      if (test) return reply.code(200).send(test.value);
      return reply.code(202).send({ outcome: "running", code: null, message: null, tookMs: WAIT_MS });
    },
  );

  for (const action of ["pause", "resume"] as const)
    app.post(
      `/v1/sinks/:name/${action}`,
      {
        onRequest: operatorOnly(role),
        preValidation: noBody,
        schema: {
          operationId: action === "pause" ? "pauseSink" : "resumeSink",
          summary:
            action === "pause"
              ? "Pause a sink: it sends no wakes until it is resumed, across restarts too (operator.sock)"
              : "Resume a paused sink (operator.sock)",
          tags,
          params,
          querystring: nothing,
          response: {
            200: sinkStatus,
            ...problems("invalid_request", "operator_only", "sink_not_found", "sink_elsewhere"),
          },
        },
      },
      async (request): Promise<SinkStatus> => {
        const sink = sinks.named(request.params.name);
        await sink[action]();
        return await sink.status();
      },
    );
}

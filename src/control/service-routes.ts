// The routes that the services bring, each under /v1/<service>/.

import type { FastifySchema } from "fastify";
import { JsonText } from "../services/route.ts";
import type { App } from "./app.ts";
import { BODY_PROBLEMS, problems } from "./problem.ts";
import { JSON_TYPE, operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

export function serviceRoutes(app: App, { context, role }: RouteOptions): void {
  for (const route of context.routes) {
    const { method, path: url, operationId, summary, description, tag, params, query, body } = route;
    // The schema's types are for handlers; this handler has those of the route.
    const schema: FastifySchema = {
      ...{ operationId, summary, ...(description !== undefined && { description }), tags: [tag] },
      ...{ ...(params && { params }), querystring: query, ...(body && { body }) },
      response: {
        200: route.answer,
        ...problems(
          "invalid_request",
          ...(body ? BODY_PROBLEMS : []),
          ...(route.isForOperators ? (["operator_only"] as const) : []),
          ...route.problems,
        ),
      },
    };
    app.route({
      ...{ method, url, schema, config: { isExpensive: route.isExpensive === true } },
      ...(route.isForOperators && { onRequest: operatorOnly(role) }),
      async handler({ params, query, body }, reply) {
        const answer = await route.handle({ params, query, body });
        return answer instanceof JsonText ? reply.type(JSON_TYPE).send(answer.text) : answer;
      },
    });
  }
}

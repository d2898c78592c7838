// /v1/nodes: the nodes that share the database and what each holds, and the operator's drain of this one.

import { nothing } from "../contract/api/fields.ts";
import { nodesAnswer } from "../contract/api/nodes.ts";
import type { App } from "./app.ts";
import { Problem, problems } from "./problem.ts";
import { noBody, operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

export function nodes(app: App, { context, role }: RouteOptions): void {
  const { fleet } = context;
  app.get(
    "/v1/nodes",
    {
      schema: {
        operationId: "listNodes",
        summary: "The nodes that share the database, and what each of them does",
        tags: ["nodes"],
        querystring: nothing,
        response: { 200: nodesAnswer, ...problems("invalid_request") },
      },
    },
    async () => fleet.view(),
  );

  for (const action of ["drain", "resume"] as const)
    app.post(
      `/v1/nodes/${action}`,
      {
        onRequest: operatorOnly(role),
        preValidation: noBody,
        schema: {
          operationId: action === "drain" ? "drainNode" : "resumeNode",
          summary:
            action === "drain"
              ? "Let this node give away what it does to the other nodes, and take on nothing (operator.sock)"
              : "Let this node take on work again (operator.sock)",
          tags: ["nodes"],
          querystring: nothing,
          response: { 200: nodesAnswer, ...problems("invalid_request", "operator_only", "not_a_fleet") },
        },
      },
      async () => {
        if (!fleet.isShared)
          throw new Problem(
            "not_a_fleet",
            "This nexusd has its database for itself: no other node could take over. Stop it instead.",
          );
        await fleet.drain(action === "drain");
        return fleet.view();
      },
    );
}

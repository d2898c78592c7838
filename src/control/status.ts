// GET /v1/status: the state of everything, as far as it is known.

import { nothing } from "../contract/api/fields.ts";
import { statusAnswer } from "../contract/api/status.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

export function status(app: App, { context, socketStatus }: RouteOptions): void {
  app.get(
    "/v1/status",
    {
      schema: {
        operationId: "getStatus",
        summary:
          "The state of the services, the jobs, the nodes, the sinks, the writes, the log, the database and the control sockets",
        tags: ["state"],
        querystring: nothing,
        response: { 200: statusAnswer, ...problems("invalid_request") },
      },
    },
    async () => {
      const [{ oldest, latest }, writes, sinks] = await Promise.all([
        context.store.readEvents({ after: 0, limit: 1 }),
        context.writes.counts(),
        context.sinks.list(),
      ]);
      const { node, nodes } = context.fleet.view();
      return {
        version: context.version,
        pid: process.pid,
        startedAt: context.startedAt,
        epoch: context.store.epoch,
        log: { oldest, latest },
        services: context.services(),
        jobs: context.scheduler.list(),
        ...{ node, nodes, sinks, writes },
        store: context.storeStatus(),
        sockets: socketStatus(),
      };
    },
  );
}

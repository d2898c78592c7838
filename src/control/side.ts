// The API of one socket, loaded with the first request: 11 MB that a daemon without clients does not need.

import type { RequestListener } from "node:http";
import { Problem, sendProblem } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

export interface Side {
  route: RequestListener;
  close(): Promise<void>;
}

export function createSide(options: RouteOptions): Side {
  const { role, context } = options;
  let route: RequestListener | undefined;
  let opened: ReturnType<typeof open> | undefined;

  const open = async () => {
    const { createApp } = await import("./app.ts");
    const { registerRoutes } = await import("./routes.ts");
    const app = createApp(options);
    registerRoutes(app, options);
    await app.ready();
    route = app.routing;
    return app;
  };

  return {
    route(request, response) {
      if (route) return route(request, response);
      opened ??= open();
      opened.then(
        ({ routing }) => routing(request, response),
        (error) => {
          context.log.error({ socket: role, err: error }, "the API cannot be loaded");
          sendProblem(response, new Problem("internal_error", "The API cannot be loaded; the log says why."));
        },
      );
    },
    async close() {
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}

// The whole API: every resource, registered on the instance of one socket.

import type { Tail } from "../events/tail.ts";
import type { App } from "./app.ts";
import { consumers } from "./consumers.ts";
import type { ControlContext, Role } from "./context.ts";
import { description } from "./description.ts";
import { events } from "./events.ts";
import { health } from "./health.ts";
import { jobs } from "./jobs.ts";
import { reload } from "./reload.ts";
import { status } from "./status.ts";
import { stream } from "./stream.ts";
import { views } from "./views.ts";

export interface RouteOptions {
  context: ControlContext;
  role: Role;
  tail: Tail;
}

export function registerRoutes(app: App, options: RouteOptions): void {
  for (const register of [health, status, events, stream, consumers, jobs, views, reload, description])
    register(app, options);
}

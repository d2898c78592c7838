// The whole API: every resource, registered on the instance of one socket.

import type { Tail } from "../store/tail.ts";
import type { App } from "./app.ts";
import { audit } from "./audit.ts";
import { backup } from "./backup.ts";
import { consumerEvents } from "./consumer-events.ts";
import { consumers } from "./consumers.ts";
import type { ControlContext, Role } from "./context.ts";
import { decisions } from "./decisions.ts";
import { description } from "./description.ts";
import { events } from "./events.ts";
import type { Gate } from "./gate.ts";
import type { HandedOut } from "./handed-out.ts";
import { health } from "./health.ts";
import { history } from "./history.ts";
import { jobs } from "./jobs.ts";
import type { SocketStatus } from "./listener.ts";
import { metrics } from "./metrics.ts";
import { nodes } from "./nodes.ts";
import { operations } from "./operations.ts";
import { reads } from "./reads.ts";
import { reload } from "./reload.ts";
import { review } from "./review.ts";
import { serviceRoutes } from "./service-routes.ts";
import { sinks } from "./sinks.ts";
import { statements } from "./statements.ts";
import { status } from "./status.ts";
import { stream } from "./stream.ts";
import { writes } from "./writes.ts";

export interface RouteOptions {
  context: ControlContext;
  role: Role;
  tail: Tail;
  handedOut: HandedOut;
  /** Every control socket, and whether it is reachable. */
  socketStatus: () => ({ role: Role } & SocketStatus)[];
  gate: Gate;
}

export function registerRoutes(app: App, options: RouteOptions): void {
  for (const register of [
    health,
    status,
    history,
    events,
    stream,
    consumers,
    consumerEvents,
    jobs,
    sinks,
    nodes,
    serviceRoutes,
    operations,
    reads,
    writes,
  ])
    register(app, options);
  for (const register of [review, decisions, statements, audit, reload, backup, metrics, description])
    register(app, options);
}

// GET /v1/health: whether everything that is enabled works.

import { nothing } from "../contract/api/fields.ts";
import { healthAnswer } from "../contract/api/status.ts";
import type { JobState } from "../scheduler/job.ts";
import type { App } from "./app.ts";
import type { ControlContext } from "./context.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";

const UNHEALTHY: ReadonlySet<JobState> = new Set(["failing", "stale", "invalid"]);

export function health(app: App, { context, socketStatus }: RouteOptions): void {
  app.get(
    "/v1/health",
    {
      schema: {
        operationId: "getHealth",
        summary:
          "Whether every enabled service, every job, sink and node, the database and both sockets work",
        tags: ["state"],
        querystring: nothing,
        response: { 200: healthAnswer, ...problems("invalid_request") },
      },
    },
    async () => {
      const reasons = [...reasonsOf(context), ...socketStatus().flatMap(reasonOfSocket)];
      return {
        status: reasons.length === 0 ? ("ok" as const) : ("degraded" as const),
        reasons,
        epoch: context.store.epoch,
        version: context.version,
      };
    },
  );
}

/** A node that has been lost for longer does not come back: the others have its work. */
const LOST_FOR_MS = 60 * 60_000;

/** Everything that is wrong; no detail reveals more than the status does on the same socket. */
function reasonsOf(context: ControlContext): { code: string; detail: string }[] {
  const store = context.storeStatus();
  const audit = context.audit.status();
  const services = Object.entries(context.services()).filter(
    ([, { state }]) => state !== "ok" && state !== "disabled",
  );
  const attention = Object.values(context.services()).flatMap((service) => service.attention ?? []);
  const jobs = context.scheduler.list().filter(({ state }) => UNHEALTHY.has(state));
  return [
    ...(store.state === "ok"
      ? []
      : [{ code: "store", detail: store.lastError?.message ?? "the database accepts no commits" }]),
    ...(audit.state === "broken" ? [{ code: "audit", detail: AUDIT_BROKEN }] : []),
    ...services.map(([name, { state, lastError }]) => ({
      code: "service",
      detail: `${name} is ${state}${lastError ? `: ${lastError.message}` : ""}`,
    })),
    ...attention.map(({ code, detail }) => ({ code, detail })),
    ...context.sinks.troubles().map((detail) => ({ code: "sink", detail })),
    ...lostNodes(context).map(({ name, seenAt }) => ({
      code: "node",
      detail: `the node ${name} is lost, last seen ${seenAt}: the others do its work`,
    })),
    ...jobs.map(({ name, state }) => ({ code: "job", detail: `the job ${name} is ${state}` })),
  ];
}

const lostNodes = ({ fleet, clock }: ControlContext) =>
  fleet
    .view()
    .nodes.filter(({ state, seenAt }) => state === "lost" && clock.now() - Date.parse(seenAt) < LOST_FOR_MS);

const reasonOfSocket = ({ state, ...socket }: ReturnType<RouteOptions["socketStatus"]>[number]) =>
  state === "there" ? [] : [{ code: "socket", detail: `${socket.role}.sock is ${state}` }];

/** Which write it is, and what happened, is for operators only. */
const AUDIT_BROKEN =
  "the audit log, or a write or event that it covers, was changed: nexusctl audit verify has the details";

// /v1/jobs: the jobs, and the operator's control over them.

import { z } from "zod";
import { nothing } from "../contract/api/fields.ts";
import { jobStatus, jobsAnswer } from "../contract/api/jobs.ts";
import { isoTime } from "../core/clock.ts";
import { within } from "../core/within.ts";
import { JobError, type JobStatus } from "../scheduler/job.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import { noBody, operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

const params = z.strictObject({ name: z.string() });

const tags = ["jobs"];
const RUN_WAIT_MS = 10_000;

export function jobs(app: App, { context, role }: RouteOptions): void {
  const { scheduler, clock } = context;

  app.get(
    "/v1/jobs",
    {
      schema: {
        operationId: "listJobs",
        summary: "All jobs and their state",
        tags,
        querystring: nothing,
        response: {
          200: jobsAnswer,
          ...problems("invalid_request"),
        },
      },
    },
    async () => ({ asOf: isoTime(clock.now()), jobs: scheduler.list() }),
  );

  const named = (name: string): JobStatus => {
    const job = scheduler.list().find((one) => one.name === name);
    if (!job) throw new JobError("job_not_found", `There is no job "${name}". GET /v1/jobs lists them.`);
    return job;
  };

  app.post(
    "/v1/jobs/:name/run",
    {
      onRequest: operatorOnly(role),
      preValidation: noBody,
      schema: {
        operationId: "runJob",
        summary: "Run a cron job now (operator.sock)",
        description:
          "200 when the run has ended, whatever its result; 202 if it is still running after 10 s.",
        tags,
        params,
        querystring: nothing,
        response: {
          200: jobStatus,
          202: jobStatus,
          ...problems("invalid_request", "operator_only", "job_not_found", "job_not_runnable"),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      named(name);
      const hasEnded = await within(clock, RUN_WAIT_MS, scheduler.run(name), context.signal);
      return reply.code(hasEnded ? 200 : 202).send(named(name));
    },
  );

  for (const action of ["pause", "resume"] as const)
    app.post(
      `/v1/jobs/:name/${action}`,
      {
        onRequest: operatorOnly(role),
        preValidation: noBody,
        schema: {
          operationId: action === "pause" ? "pauseJob" : "resumeJob",
          summary:
            action === "pause"
              ? "Stop a job until it is resumed (operator.sock)"
              : "Resume a paused job (operator.sock)",
          tags,
          params,
          querystring: nothing,
          response: { 200: jobStatus, ...problems("invalid_request", "operator_only", "job_not_found") },
        },
      },
      async (request) => {
        const { name } = request.params;
        named(name);
        await scheduler[action](name);
        return named(name);
      },
    );
}

// nexusctl jobs: lists the jobs, and lets an operator control them.

import type { Command } from "commander";
import { NexusdError } from "../client/error.ts";
import { answerOf } from "../client/request.ts";
import { nearest } from "../core/text/nearest.ts";
import type { JobStatus } from "../scheduler/job.ts";
import { type Act, type CliContext, jsonOf } from "./context.ts";
import { Failed } from "./problem.ts";
import { ofState } from "./terminal/colour.ts";
import { age, type Output } from "./terminal/output.ts";

const HEAD = ["JOB", "STATE", "WHEN", "LAST SUCCESS", "NEXT RUN", "LAST ERROR"];

/** A table for a person. A reason that does not fit is printed in full below it. */
export async function printJobs(output: Output, jobs: JobStatus[]): Promise<void> {
  const cut = await output.table(
    HEAD,
    jobs.map((job) => [
      job.name,
      ofState(job.state, describeState(job)),
      job.state === "invalid" ? "-" : (job.schedule ?? job.kind),
      age(job.lastSuccessAt),
      nextRun(job),
      describeError(reasonOf(job)),
    ]),
  );
  for (const index of cut) {
    const job = jobs[index];
    if (job && reasonOf(job)) await output.text(`${job.name}: ${describeError(reasonOf(job))}`);
  }
}

function describeState({ state, running, kind, node }: JobStatus): string {
  if (state === "standby") return node ? `standby: ${node} runs it` : "standby";
  return running && kind === "cron" ? `${state}, running` : state;
}

/** What is wrong with a job now; the last error of a recovered job no longer counts. */
export const reasonOf = ({ state, failures, lastError }: JobStatus): JobStatus["lastError"] =>
  failures > 0 || state === "invalid" || state === "degraded" || state === "stale" ? lastError : null;

/** "nex_unreachable, 3 s ago: connection refused", or "-". */
export const describeError = (error: { code: string; message: string; at: string } | null | undefined) =>
  error ? `${error.code}, ${age(error.at)}: ${error.message}` : "-";

/** For a running or queued run, the scheduled time has passed. */
function nextRun({ nextRunAt, running }: JobStatus, nowMs = Date.now()): string {
  if (!nextRunAt) return "-";
  if (Date.parse(nextRunAt) <= nowMs) return running ? "running" : "due";
  return age(nextRunAt, nowMs);
}

// A run may wait for a slow service.
export function addJobs(program: Command, act: Act): void {
  const jobs = program.command("jobs").description("list the jobs; run, pause or resume one (operator)");

  jobs
    .command("list", { isDefault: true })
    .description("list the jobs")
    .action(
      act(async ({ client, output, io }) => {
        const found = await client.jobs.list({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(found));
        await printJobs(output, found.jobs);
      }),
    );

  for (const [verb, description] of [
    ["run", "run a job now"],
    ["pause", "stop a job until it is resumed"],
    ["resume", "let a paused job run again"],
  ] as const)
    jobs
      .command(verb)
      .description(`${description} (operator)`)
      .argument("<name>", "the job's name")
      .action(
        act(async (context, name: string) => {
          const { client, output, io } = context;
          const job = await client.jobs[verb](name, { signal: io.signal }).catch(async (error: unknown) => {
            throw await explained(error, context, name);
          });
          if (output.isHuman) output.note(outcome(verb, name, job));
          else await output.json(jsonOf(job));
        }),
      );
}

function outcome(verb: "run" | "pause" | "resume", name: string, job: JobStatus): string {
  if (verb !== "run") return `${verb}d ${name}`;
  if (answerOf(job).status === 202) return `${name} is still running; see: nexusctl jobs`;
  return job.failures > 0 ? `ran ${name}, which failed: ${describeError(job.lastError)}` : `ran ${name}`;
}

/** Adds the list of jobs to the error for an unknown one. */
async function explained(error: unknown, { client, io }: CliContext, name: string): Promise<unknown> {
  if (!(error instanceof NexusdError) || error.problem.code !== "job_not_found") return error;
  let jobs: JobStatus[];
  try {
    ({ jobs } = await client.jobs.list({ role: "operator", signal: io.signal }));
  } catch {
    return error; // The original refusal matters more.
  }
  const meant = nearest(
    name,
    jobs.map((job) => job.name),
  );
  const listed = jobs.find((job) => job.name === name);
  const detail = listed
    ? `The file of "${name}" is not a valid job: ${listed.lastError?.message ?? listed.state}. Fix ${listed.description}, then: nexusctl reload`
    : meant.length > 0
      ? `There is no job "${name}". Did you mean ${meant.join(" or ")}?`
      : error.problem.detail;
  return new Failed({ ...error.problem, detail }, { epoch: error.epoch, cause: error });
}

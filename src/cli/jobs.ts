// nexusctl jobs: what runs on its own, and the operator's say over it.

import type { Command } from "commander";
import type { JobStatus } from "../scheduler/define-job.ts";
import { parsed } from "./client.ts";
import type { Act } from "./context.ts";
import { age } from "./output.ts";

export const JOB_HEAD = ["JOB", "STATE", "WHEN", "LAST SUCCESS", "NEXT RUN", "LAST ERROR"];

export const jobRows = (jobs: JobStatus[]): string[][] =>
  jobs.map((job) => [
    job.name,
    job.running && job.kind === "cron" ? `${job.state}, running` : job.state,
    job.schedule ?? job.kind,
    age(job.lastSuccessAt),
    job.nextRunAt ? age(job.nextRunAt) : "-",
    job.lastError && job.failures > 0
      ? `${job.lastError.code}, ${age(job.lastError.at)}: ${job.lastError.message}`
      : "-",
  ]);

// A run may wait for a service that takes its time.
const RUN_TIMEOUT_MS = 5 * 60_000;
const DONE = { run: "ran", pause: "paused", resume: "resumed" } as const;

export function addJobs(program: Command, act: Act): void {
  const jobs = program.command("jobs").description("list the jobs; run, pause or resume one (operator)");

  jobs
    .command("list", { isDefault: true })
    .description("list the jobs")
    .action(
      act(async ({ client, output, io }) => {
        const answer = await client.call("GET", "/v1/jobs", { signal: io.signal });
        if (!output.isHuman) return await output.json(answer.text.trim());
        await output.table(JOB_HEAD, jobRows(parsed<{ jobs: JobStatus[] }>(answer).jobs));
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
        act(async ({ client, output, io }, name: string) => {
          const answer = await client.call("POST", `/v1/jobs/${encodeURIComponent(name)}/${verb}`, {
            role: "operator",
            signal: io.signal,
            timeoutMs: RUN_TIMEOUT_MS,
          });
          if (output.isHuman) output.note(`${DONE[verb]} ${name}`);
          else await output.json(answer.text.trim() || "{}");
        }),
      );
}

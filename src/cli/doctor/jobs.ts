// doctor: the jobs: their state if a daemon is running; otherwise whether their files are valid jobs.

import { findJobs } from "../../config/find-jobs.ts";
import type { JobStatus } from "../../scheduler/job.ts";
import { describeError, reasonOf } from "../jobs.ts";
import { age } from "../terminal/output.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

/** The running daemon's view of its jobs. */
export function examineJobs(jobs: JobStatus[]): Check[] {
  const checks = jobs.flatMap((job) => {
    switch (job.state) {
      case "invalid": {
        const file = job.lastError?.code === "invalid_job" ? `${job.description}: ` : "";
        const detail = `${job.name}: invalid: ${file}${job.lastError?.message ?? "no reason given"}`;
        return [fail("jobs", detail, "Fix it, then: nexusctl reload")];
      }
      case "stale": {
        const why = reasonOf(job) ? `: ${describeError(job.lastError)}` : "";
        const detail = `${job.name}: stale, last success ${age(job.lastSuccessAt)}${why}`;
        return [fail("jobs", detail, "See the daemon's log; a restart starts it again.")];
      }
      case "failing": {
        const times = job.failures === 1 ? "once" : `${job.failures} times`;
        const detail = `${job.name}: failing, ${times} in a row: ${describeError(job.lastError)}`;
        return [warn("jobs", detail, "nexusd tries it again; see the daemon's log.")];
      }
      case "paused":
        return [warn("jobs", `${job.name}: paused by an operator`, `nexusctl jobs resume ${job.name}`)];
      default:
        return [];
    }
  });
  return checks.length > 0
    ? checks
    : [ok("jobs", `${jobs.length}, none of them invalid, failing, stale or paused`)];
}

/** @param directory `[jobs] directory`; the files in it are loaded, as at the start of a daemon */
export async function examineJobFiles(directory: string | undefined): Promise<Check[]> {
  if (directory === undefined) return [];
  const { invalid } = await findJobs(directory);
  if (invalid.length === 0) return [ok("jobs", `${directory}: every file is a job`)];
  return invalid.map(({ file, line, message }) =>
    fail(
      "jobs",
      `${line === undefined ? file : `${file}:${line}`}: ${message}`,
      "Fix it: the daemon starts without this job.",
    ),
  );
}

// What a job file exports: a job that sees the configuration and the clients of the services.

import type * as scheduler from "../scheduler/job.ts";
import type { JobConfig } from "./config.ts";
import type { Services } from "./services.ts";

/** What a running job is given. */
export type JobContext = scheduler.JobContext<JobConfig, Services>;
export type CronJob = scheduler.CronJob<JobContext>;
export type Job = scheduler.Job<JobContext>;

/** Declares a job; the types check it, and the scheduler checks it again when it comes from a directory. */
export const defineJob = <J extends Job>(job: J): J => job;

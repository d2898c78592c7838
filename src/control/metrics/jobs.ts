// The jobs. Their label is `name`, since `job` is Prometheus' own.

import { ageSeconds, keysOf, oneHot, type Sample, seconds } from "../../contract/metric.ts";
import { type JobState, type JobStatus, RUN_OUTCOMES } from "../../scheduler/job.ts";
import type { Metric, Snapshot } from "./metric.ts";

const STATES = keysOf<JobState>({
  ...{ ok: true, starting: true, standby: true, failing: true, stale: true },
  ...{ degraded: true, paused: true, disabled: true, invalid: true },
});

const labelsOf = ({ name, service }: JobStatus) => ({ name, service: service ?? "none" });

const each = (
  name: string,
  help: string,
  read: (job: JobStatus, snapshot: Snapshot) => number | null | undefined,
): Metric => ({
  ...{ type: "gauge", name, help, labels: ["name", "service"] },
  samples: (snapshot) =>
    snapshot.jobs.flatMap((job): Sample[] => {
      const value = read(job, snapshot);
      return value === null || value === undefined ? [] : [{ value, labels: labelsOf(job) }];
    }),
});

export const jobMetrics: readonly Metric[] = [
  {
    type: "gauge",
    name: "nexusd_job_state",
    help: "1 for the current state of the job; stale: its last success is older than three of its intervals.",
    labels: ["name", "service", "state"],
    samples: ({ jobs }) => jobs.flatMap((job) => oneHot(STATES, job.state, labelsOf(job))),
  },
  {
    type: "counter",
    name: "nexusd_job_runs_total",
    help: "Runs of a job by outcome; for a paced job its steps, such as the poll of a session.",
    labels: ["name", "service", "outcome"],
    samples: ({ jobs, outcomes }) =>
      jobs.flatMap((job) => {
        const counted = outcomes.get(job.name);
        if (!counted) return [];
        return RUN_OUTCOMES.map((outcome) => ({
          value: counted[outcome],
          labels: { ...labelsOf(job), outcome },
        }));
      }),
  },
  each("nexusd_job_consecutive_failures", "Failures since the last success.", ({ failures }) => failures),
  each(
    "nexusd_job_last_success_timestamp_seconds",
    "When the job last succeeded, in seconds since 1970; none before its first success.",
    ({ lastSuccessAt }) => seconds(lastSuccessAt),
  ),
  each("nexusd_job_interval_seconds", "How often the job should succeed.", ({ intervalMs }) =>
    intervalMs !== null && Number.isFinite(intervalMs) ? intervalMs / 1000 : null,
  ),
  each(
    "nexusd_job_overdue_seconds",
    "How long the job has been due without having begun; 0: it is not due, or is running.",
    ({ running, nextRunAt }, { now }) => (running ? 0 : ageSeconds(nextRunAt, now)),
  ),
];

// What a job file exports: a job that uses the configuration and the clients of the services.

import type { z } from "zod";
import type { EventsOf, OwnEventTable } from "../contract/event.ts";
import type { EventOf, NewEvent } from "../contract/new-event.ts";
import type { Committed, Observation, Store } from "../contract/store.ts";
import type * as scheduler from "../scheduler/job.ts";
import type { JobConfig } from "./config.ts";
import type { Services } from "./services.ts";

/** The store of a job that declares its own event types. */
export interface JobStore<Own = Record<never, never>> extends Omit<Store, "commitObservation"> {
  /**
   * @throws what the store throws, and Error for an event that does not match its declaration; then nothing is
   * committed
   */
  commitObservation(observation: Observation<NewEvent | EventOf<Own>>): Promise<Committed>;
}

/** What a running job receives. */
export type JobContext<Settings = unknown, Own = Record<never, never>> = scheduler.JobContext<
  JobConfig,
  Services,
  Settings,
  JobStore<Own>
>;
export type CronJob = scheduler.CronJob<JobContext>;
export type Job<Settings = unknown, Own = Record<never, never>> = scheduler.Job<JobContext<Settings, Own>>;

/**
 * Declares a job; the types check it, and the scheduler checks it again if it comes from a directory. `settings` is the
 * zod schema of its table `[jobs.<name>]`, `events` the types of the events that it logs itself.
 */
export const defineJob = <
  Kind extends Job["kind"],
  Settings extends z.ZodType = z.ZodUndefined,
  Own extends OwnEventTable = Record<never, never>,
>(
  job: Job<z.output<Settings>, EventsOf<Own>> & { kind: Kind; settings?: Settings; events?: Own },
): Extract<typeof job, { kind: Kind }> => job as Extract<typeof job, { kind: Kind }>; // it is of its own kind

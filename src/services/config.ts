// The part of the configuration that jobs see: the settings of the services, of the built-in jobs, and the limits.

import { z } from "zod";
import { limits } from "../contract/limits.ts";
import { duration, durationText, filePath, inMilliseconds, positive } from "../core/settings.ts";
import { schedule } from "../scheduler/schedule-setting.ts";
import { SERVICES, type ServiceName, serviceNamed } from "./list.ts";
import type { ServiceModule } from "./module.ts";

const retention = z.strictObject({
  enabled: z.boolean().default(true),
  schedule: schedule("17 3 * * *"),
  keep_events: duration("30d", "1h"),
  max_events: positive.optional(),
  keep_bodies: duration("30d", "1h"),
  keep_insights: durationText().transform(inMilliseconds("1h")).optional(),
  // Without it nothing is removed from the audit log.
  keep_audit: durationText().transform(inMilliseconds("1d")).optional(),
});

type Merged<Part> = (Part extends unknown ? (part: Part) => void : never) extends (all: infer All) => void
  ? All
  : never;
type Module = (typeof SERVICES)[number];

/** The tables of all services' jobs. */
// Object.assign cannot say that the result has the keys of every part.
const jobSettings = Object.assign({}, ...SERVICES.map((module) => module.jobSettings)) as Merged<
  Module["jobSettings"]
>;

type ServiceTables = { [M in Module as M["name"]]: z.ZodPrefault<M["settings"]> };

// Object.fromEntries forgets which key has which schema.
const serviceTables = Object.fromEntries(
  SERVICES.map(({ name, settings }: ServiceModule) => [name, settings.prefault({})]),
) as unknown as ServiceTables;

// Own jobs have tables here, too, which are checked once those jobs are loaded (config/own-settings.ts).
const jobs = z
  .object({
    directory: filePath.optional(),
    ...jobSettings,
    retention: retention.prefault({}),
  })
  .catchall(z.unknown());

/** The tables of the configuration that jobs see. */
export const jobTables = {
  ...serviceTables,
  jobs: jobs.prefault({}),
  limits: limits.prefault({}),
};

const jobConfig = z.object(jobTables);
export type JobConfig = z.output<typeof jobConfig>;

/** The table of a service. @throws Error if there is none of this name */
export const settingsOf = (config: JobConfig, service: string): JobConfig[ServiceName] =>
  config[serviceNamed(service).name];

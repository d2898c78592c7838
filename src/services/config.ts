// What jobs are told of the configuration: the settings of the services, of the built-in jobs, and the limits.

import { z } from "zod";
import { limits } from "../contract/limits.ts";
import { duration, durationText, filePath, inMilliseconds, positive } from "../core/settings.ts";
import { schedule } from "../scheduler/schedule-setting.ts";
import { messagingSettings } from "./messaging/config.ts";
import { nexJobSettings, nexSettings } from "./nex/config.ts";
import { nexusJobSettings, nexusSettings } from "./nexus/config.ts";

const retention = z.strictObject({
  enabled: z.boolean().default(true),
  schedule: schedule("17 3 * * *"),
  keep_events: duration("30d", "1h"),
  max_events: positive.optional(),
  keep_insights: durationText().transform(inMilliseconds("1h")).optional(),
  // Without it nothing is removed from the audit log.
  keep_audit: durationText().transform(inMilliseconds("1d")).optional(),
});

const jobs = z.strictObject({
  directory: filePath.optional(),
  ...nexJobSettings,
  ...nexusJobSettings,
  retention: retention.prefault({}),
});

/** The tables of the configuration that jobs see. */
export const jobTables = {
  messaging: messagingSettings.prefault({}),
  nex: nexSettings.prefault({}),
  nexus: nexusSettings.prefault({}),
  jobs: jobs.prefault({}),
  limits: limits.prefault({}),
};

const jobConfig = z.object(jobTables);
export type JobConfig = z.output<typeof jobConfig>;

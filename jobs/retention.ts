// Keeps the log within its limits: removes the oldest events by age and by count.

import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob } from "../src/scheduler/define-job.ts";

export default defineJob({
  name: "retention",
  description: "Removes events that are older or more than the configuration keeps",
  kind: "cron",
  schedule: (config) => config.jobs.retention.schedule,
  enabled: (config) => config.jobs.retention.enabled,
  catchUp: "once",

  async run({ config, store, clock, log }) {
    const { keep_events: keepMs, max_events: keep } = config.jobs.retention;
    const { removed } = await store.pruneEvents({
      before: isoTime(Math.max(0, clock.now() - keepMs)),
      ...(keep !== undefined && { keep }),
    });
    if (removed > 0) log.info({ removed }, "old events removed");
  },
});

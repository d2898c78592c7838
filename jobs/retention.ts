// Keeps the log within its limits, by age and by count, and the memory of insights within its own.

import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob } from "../src/scheduler/define-job.ts";

export default defineJob({
  name: "retention",
  description: "Removes what is older or more than the configuration keeps",
  kind: "cron",
  schedule: (config) => config.jobs.retention.schedule,
  enabled: (config) => config.jobs.retention.enabled,
  catchUp: "once",

  async run({ config, store, clock, log }) {
    const { keep_events: keepMs, max_events: keep, keep_insights: insightsMs } = config.jobs.retention;
    const ago = (ms: number) => isoTime(Math.max(0, clock.now() - ms));
    const { removed } = await store.pruneEvents({ before: ago(keepMs), ...(keep !== undefined && { keep }) });
    if (removed > 0) log.info({ removed }, "old events removed");
    if (insightsMs === undefined) return;
    const forgotten = await store.forgetInsights(ago(insightsMs));
    if (forgotten.removed > 0) log.info(forgotten, "old insights forgotten");
  },
});

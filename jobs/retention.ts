// Keeps the log within its limits, by age and by count, the memory of insights within its own, the sessions that have
// ended no longer than the log, and of the audit log what an operator has not signed off.

import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob } from "../src/scheduler/define-job.ts";
import { forgetEnded } from "../src/services/messaging/forget.ts";

export default defineJob({
  name: "retention",
  description: "Removes what is older or more than the configuration keeps",
  kind: "cron",
  schedule: (config) => config.jobs.retention.schedule,
  enabled: (config) => config.jobs.retention.enabled,
  catchUp: "once",

  async run(context) {
    const { config, store, clock, log } = context;
    const limits = config.jobs.retention;
    const ago = (ms: number) => isoTime(Math.max(0, clock.now() - ms));
    const { removed } = await store.pruneEvents({
      before: ago(limits.keep_events),
      ...(limits.max_events !== undefined && { keep: limits.max_events }),
    });
    if (removed > 0) log.info({ removed }, "old events removed");
    const { forgotten } = await forgetEnded(context, clock.now() - limits.keep_events);
    if (forgotten > 0) log.info({ forgotten }, "sessions that ended long ago forgotten");
    if (limits.keep_insights !== undefined) {
      const forgotten = await store.forgetInsights(ago(limits.keep_insights));
      if (forgotten.removed > 0) log.info(forgotten, "old insights forgotten");
    }
    if (limits.keep_audit !== undefined) {
      const pruned = await store.pruneAudit(ago(limits.keep_audit), isoTime(clock.now()));
      if (pruned.rows > 0) log.info(pruned, "signed-off rows of the audit log removed");
    }
  },
});

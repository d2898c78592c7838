// Keeps the log within its limits, by age and by count, what each service remembers within its own, of finished writes
// only what is short, and of the audit log what an operator has not signed off.

import { REPEATS_KEPT_MS } from "../src/contract/store.ts";
import { isoTime } from "../src/core/clock.ts";
import { defineJob } from "../src/services/job.ts";
import { SERVICES } from "../src/services/list.ts";
import type { ServiceCode } from "../src/services/module.ts";

const CURSOR = "retention";
const LONGEST_REST_MS = 7 * 86_400_000;

export default defineJob({
  name: "retention",
  description: "Removes what the configuration no longer keeps",
  kind: "cron",
  schedule: (config) => config.jobs.retention.schedule,
  enabled: (config) => config.jobs.retention.enabled,
  catchUp: "once",

  async run(context) {
    const { config, store, clock, steady, log, signal } = context;
    const limits = config.jobs.retention;
    const lastRun = (await store.readCursor(CURSOR))?.updatedAt;
    if (!steady.isSteady()) {
      // What was missed by it is not made up for, unless the clock is stepped before each run, as where a virtual
      // machine is put to sleep every night.
      if (lastRun !== undefined && steady.ageOf(Date.parse(lastRun)) < LONGEST_REST_MS)
        return log.info("the wall clock was stepped recently: nothing is removed until the next run");
      await steady.settled(signal);
    }
    const ago = (ms: number) => isoTime(steady.before(ms));
    const { removed } = await store.pruneEvents({
      before: ago(limits.keep_events),
      repeatsBefore: ago(REPEATS_KEPT_MS),
      ...(limits.max_events !== undefined && { keep: limits.max_events }),
    });
    if (removed > 0) log.info({ removed }, "removed old events");
    const bodies = await store.removeBodies(ago(limits.keep_bodies), isoTime(clock.now()));
    if (bodies.removed > 0) log.info(bodies, "removed the bodies of writes that finished long ago");
    for (const service of SERVICES) {
      const code: Pick<ServiceCode, "forget"> = await service.load();
      await code.forget?.(context);
    }
    if (limits.keep_audit !== undefined) {
      const pruned = await store.pruneAudit(ago(limits.keep_audit), isoTime(clock.now()));
      if (pruned.rows > 0) log.info(pruned, "removed signed-off rows of the audit log");
    }
    await store.commitObservation({ source: CURSOR, cursor: { ranAt: isoTime(clock.now()) } });
  },
});

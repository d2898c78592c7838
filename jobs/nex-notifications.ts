// Follows the notification feed of Nex: one event for each notification, however often the feed has it.

import { defineJob } from "../src/services/job.ts";
import { readNotificationFeed } from "../src/services/nex/notification-feed.ts";

const NAME = "nex-notifications";

export default defineJob({
  name: NAME,
  description: "Follows the notification feed of Nex.",
  kind: "cron",
  service: "nex",
  enabled: (config) => config.nex.enabled && config.jobs[NAME].enabled,
  schedule: (config) => config.jobs[NAME].schedule,
  catchUp: "once",
  run: readNotificationFeed,
});

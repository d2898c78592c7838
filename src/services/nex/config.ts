// [nex] and the settings of its jobs.

import { z } from "zod";
import { always, duration, needsWhenEnabled, origin, secretRef } from "../../core/settings.ts";
import { schedule } from "../../scheduler/schedule-setting.ts";

export const nexSettings = z
  .strictObject({
    enabled: z.boolean().default(true),
    base_url: origin.default("https://app.nex.ai"),
    api_key: secretRef.optional(),
    // A Node.js timer of more than 24.8 days fires at once.
    keepalive_timeout: duration("90s", "1s", "24h"),
    timeout: duration("120s", "1s", "24h"),
  })
  .superRefine(needsWhenEnabled("api_key"), always);

const notifications = z.strictObject({
  enabled: z.boolean().default(false),
  schedule: schedule("*/5 * * * *"),
});

export const nexJobSettings = { "nex-notifications": notifications.prefault({}) };

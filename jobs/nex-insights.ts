// Holds the insight stream of Nex, closes its gaps by REST, and polls REST while the stream cannot be had.

import { defineJob } from "../src/services/job.ts";
import { watchInsights } from "../src/services/nex/stream.ts";

export default defineJob({
  name: "nex-insights",
  description: "Holds the insight stream of Nex, and fetches by REST what the stream missed.",
  kind: "stream",
  service: "nex",
  enabled: (config) => config.nex.enabled,
  intervalMs: ({ config }) => Math.max(config.nex.keepalive_timeout / 3, 1000),
  run: watchInsights,
});

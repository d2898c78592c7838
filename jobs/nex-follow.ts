// Follows the work that writes have begun in Nex, until it ends as an event with its result.

import { defineJob } from "../src/services/job.ts";
import { followStep } from "../src/services/nex/follow-work.ts";

/** Nex says: every 2 to 5 s. */
const PACE_MS = 2500;

export default defineJob({
  name: "nex-follow",
  description: "Follows texts and lists that Nex is working on until they are done.",
  // Not one by which the state of Nex is judged: most of the time it has nothing to ask it.
  kind: "paced",
  enabled: (config) => config.nex.enabled,
  paceMs: () => PACE_MS,
  // A step waits for answers of up to a minute.
  intervalMs: ({ config }) => config.nex.timeout,
  step: followStep,
});

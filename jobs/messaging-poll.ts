// Keeps every session joined, renewed and polled, one request a step, within the budget of the server.

import { EXECUTOR_LEASE } from "../src/contract/leases.ts";
import { defineJob } from "../src/services/job.ts";
import { pollPaceMs, pollPlaces } from "../src/services/messaging/membership/sessions.ts";
import { pollStep } from "../src/services/messaging/reading/poll.ts";

export default defineJob({
  name: "messaging-poll",
  description: "Polls the sessions of NexusMessaging and keeps nexusd a member of them.",
  kind: "paced",
  service: "messaging",
  enabled: (config) => config.messaging.enabled,
  // Each server has a budget of its own, and its failures are its own.
  lanes: ({ config, services }) => {
    const servers = services.messaging.sessions.servers();
    return servers.length > 0 ? servers : [config.messaging.base_url];
  },
  paceMs: ({ config }) => pollPaceMs(config.messaging),
  concurrency: ({ config }) => pollPlaces(config.messaging),
  intervalMs: () => 30_000,
  step: pollStep,
  // Writes change sessions, too.
  lease: EXECUTOR_LEASE,
  begin: async ({ services }) => services.messaging.takeOver?.(),
});

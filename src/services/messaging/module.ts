// NexusMessaging as a service module.

import type { ServiceModule } from "../module.ts";
import { messagingSettings, secretIn } from "./config.ts";

export const messaging = {
  name: "messaging",
  title: "NexusMessaging",
  settings: messagingSettings,
  secrets: [],
  jobSettings: {},
  approval: "auto",
  runtimePrefix: null,
  secretKinds: ["messaging.session"],
  readWithinMs: 60_000,
  lookWithinMs: 30_000,
  secretIn,
  load: async () => (await import("./service.ts")).service,
  loadProbe: async () => (await import("./probe.ts")).probe,
} as const satisfies ServiceModule;

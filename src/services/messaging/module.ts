// NexusMessaging as the rest of nexusd meets it.

import type { ServiceModule } from "../module.ts";
import { messagingSettings } from "./config.ts";

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
  load: async () => (await import("./service.ts")).service,
} as const satisfies ServiceModule;

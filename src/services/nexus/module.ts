// The module of Nexus.

import type { ServiceModule } from "../module.ts";
import { nexusJobSettings, nexusSettings } from "./config.ts";

export const nexus = {
  name: "nexus",
  title: "Nexus",
  settings: nexusSettings,
  secrets: ["api_key", "anon_key"],
  jobSettings: nexusJobSettings,
  approval: "operator",
  runtimePrefix: "nexus.mcp.",
  secretKinds: [],
  readWithinMs: 60_000,
  lookWithinMs: 30_000,
  secretIn: () => null,
  load: async () => (await import("./service.ts")).service,
  loadProbe: async () => (await import("./probe.ts")).probe,
} as const satisfies ServiceModule;

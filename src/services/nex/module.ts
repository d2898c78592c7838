// The module of Nex.

import type { ServiceModule } from "../module.ts";
import { nexJobSettings, nexSettings } from "./config.ts";

export const nex = {
  name: "nex",
  title: "Nex",
  settings: nexSettings,
  secrets: ["api_key"],
  jobSettings: nexJobSettings,
  approval: "operator",
  runtimePrefix: null,
  secretKinds: [],
  // Only Nex takes up to a minute to answer.
  readWithinMs: 120_000,
  lookWithinMs: 120_000,
  secretIn: () => null,
  load: async () => (await import("./service.ts")).service,
  loadProbe: async () => (await import("./probe.ts")).probe,
} as const satisfies ServiceModule;

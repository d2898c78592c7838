// The commands for a single service, in the order of the help.

import type { Commands } from "../program.ts";

export const SERVICE_COMMANDS = {
  messaging: async () => (await import("./messaging/messaging.ts")).addMessaging,
  insights: async () => (await import("./nex/insights.ts")).addInsights,
  import: async () => (await import("./messaging/import.ts")).addImport,
} satisfies Commands;

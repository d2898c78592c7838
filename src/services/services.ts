// The clients of the three services, as jobs get them.

import type { MessagingClient } from "./messaging/client.ts";
import type { NexClient } from "./nex/client.ts";
import type { NexusClient } from "./nexus/client.ts";
import type { McpConnection } from "./nexus/mcp/connection.ts";

export interface Services {
  messaging: MessagingClient;
  nex: NexClient;
  nexus: NexusClient;
  /** undefined: switched off by the configuration. */
  nexusMcp: McpConnection | undefined;
}

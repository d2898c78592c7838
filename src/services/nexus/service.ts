// Nexus at run time: one origin, a token in exchange for the agent key, and the tools of its MCP server.

import type { z } from "zod";
import nexusConversations from "../../../jobs/nexus-conversations.ts";
import nexusLowStock from "../../../jobs/nexus-low-stock.ts";
import nexusPendingOrders from "../../../jobs/nexus-pending-orders.ts";
import nexusShipments from "../../../jobs/nexus-shipments.ts";
import type { Base, RunningService, ServiceCode } from "../module.ts";
import { KEEPS_NOTHING } from "../module.ts";
import { type Operation, OperationError } from "../operation.ts";
import { createTokenSource, EXCHANGE_PATH } from "./auth.ts";
import { createNexusClient, type NexusClient } from "./client.ts";
import type { nexusSettings } from "./config.ts";
import { nexusFacts, shownNexusFacts } from "./facts.ts";
import { withToken } from "./http.ts";
import { createMcpConnection, type McpConnection } from "./mcp/connection.ts";
import { createMcpTools } from "./mcp/source.ts";
import { nexusMetrics } from "./metrics.ts";
import { nexusOperations } from "./operations.ts";
import { orderView } from "./order-view.ts";
import { quotaNote } from "./quota.ts";
import { nexusRoutes } from "./routes.ts";
import type { TokenStorage } from "./saved-token.ts";
import { sendToNexus } from "./send.ts";

type Settings = z.output<typeof nexusSettings>;

const TIMEOUT_MS = 30_000;
const TOKEN = "nexus.token";

function start(base: Base): RunningService<Settings, NexusClient> {
  const { version, store, clock, steady, random, retry, log, redactor, onBack } = base;
  let settings: Settings;
  let client: NexusClient;
  let mcp: McpConnection | undefined;

  const mcpNow = (): McpConnection => {
    if (mcp) return mcp;
    throw new OperationError("service_disabled", "The tools of Nexus are disabled: set nexus.mcp = true");
  };
  const storage: TokenStorage = {
    load: () => store.readSecret(TOKEN),
    save: async (json) => {
      await store.commitObservation({ source: TOKEN, secrets: [{ name: TOKEN, value: json }] });
    },
  };
  const source = createMcpTools({
    settings: () => ({
      isEnabled: settings.enabled && settings.mcp,
      origin: settings.base_url,
      reads: settings.mcp_reads,
    }),
    connection: mcpNow,
    onListed: (count, leftOut) => {
      log.info({ tools: count, leftOut }, "the tools of Nexus were listed");
    },
    ...{ store, clock },
  });

  return {
    ...KEEPS_NOTHING,
    localView: (input) => orderView(store, input),
    connect({ settings: configured, signal, secret, http, budget }) {
      settings = configured;
      const origin = settings.base_url;
      const limit = settings.requests_per_minute;
      const bare = http({
        origin,
        timeoutMs: TIMEOUT_MS,
        // The watches leave a fifth to writes of people and agents. The limit is that of a user, whatever the address.
        budget: budget(origin, { limit, reserve: Math.floor(limit / 5) }),
        broughtBy: ({ path }) => (path === EXCHANGE_PATH ? "access_token" : undefined),
        credential: async () => ({ apikey: secret("anon_key") }),
      });
      const tokens = createTokenSource({
        http: bare,
        apiKey: () => secret("api_key"),
        ...{ storage, clock, steady, random, onBack, signal },
        onToken: redactor.addPassing,
      });
      const authorized = withToken(bare, tokens);
      mcp = settings.mcp
        ? createMcpConnection({ http: authorized, clock, version, hide: redactor.hide })
        : undefined;
      client = createNexusClient({ http: authorized, retry, clock });
      return client;
    },
    facts: () => nexusFacts(settings.base_url, client.http.organizationId, clock),
    send: (request, sending) => sendToNexus(client.http, mcpNow, request, sending),
    source,
    describe() {
      const quota = settings.enabled ? client.quota.status() : null;
      return { quota, note: quota && quotaNote(quota) };
    },
    line: (state) => `Nexus ${state}`,
    routes: nexusRoutes(store),
    metrics: nexusMetrics(() => (settings.enabled ? client.quota.status() : null)),
  };
}

export const service: ServiceCode<Settings, NexusClient> = {
  operations: nexusOperations.map((operation) => operation as Operation),
  shownFacts: shownNexusFacts,
  jobs: [nexusLowStock, nexusPendingOrders, nexusConversations, nexusShipments],
  start,
};

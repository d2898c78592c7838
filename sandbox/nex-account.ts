/** Integrations and notifications of the Nex stand-in. */

import {
  found,
  integer,
  limited,
  oneOf,
  picked,
  Refusal,
  type Route,
  required,
  type Workspace,
} from "./nex-workspace.ts";

export interface Notification {
  id: string;
  type: string;
  status: string;
  alert_time: string;
  /** RFC 3339; `since` refers to it. */
  sent_at: string;
  content: { important_items: Record<string, unknown>[]; entity_changes: Record<string, unknown>[] };
}

interface Connection {
  id: string;
  status: string;
  identifier: string;
}

const connectExpiresMs = 10 * 60_000;

const offered: [type: string, provider: string, name: string][] = [
  ["email", "google", "Gmail"],
  ["email", "microsoft", "Outlook"],
  ["calendar", "google", "Google Calendar"],
  ["calendar", "microsoft", "Outlook Calendar"],
  ["messaging", "slack", "Slack"],
  ["crm", "attio", "Attio"],
  ["crm", "hubspot", "HubSpot"],
  ["crm", "salesforce", "Salesforce"],
];

export function accountRoutes(workspace: Workspace, feedOrder: "newest" | "oldest") {
  const { clock } = workspace;
  const connections = new Map<string, Connection & { integration: string }>();
  const connecting = new Map<string, { integration: string; startedAt: number; connectionId?: string }>();
  const takeConnect = limited(clock, 10);
  let notifications: Notification[] = [];
  const preferences: Record<string, unknown> = {
    ...{ frequency_minutes: 180, enabled_types: ["daily_digest", "context_alert"], digest_enabled: true },
  };
  const rules = new Map<string, Record<string, unknown>>();
  const keyOf = (type = "", provider = "") => `${type}/${provider}`;
  const ruleOf = (id = "") => found(rules.get(id), "Rule not found");
  // A bare JSON number, digit by digit.
  const bare = (digits: string) => JSON.rawJSON(digits);

  const routes: Route[] = [
    [
      "GET /v1/integrations",
      "integration.read",
      () =>
        offered.map(([type, provider, display_name]) => ({
          ...{ type, provider, display_name, description: `Connect ${display_name}` },
          connections: [...connections.values()]
            .filter(({ integration }) => integration === keyOf(type, provider))
            .map(({ id, status, identifier }) => ({ id: bare(id), status, identifier })),
        })),
    ],
    [
      "POST /v1/integrations/{type}/{provider}/connect",
      "integration.write",
      ({ path }) => {
        const integration = keyOf(path.type, path.provider);
        oneOf(
          integration,
          "type/provider",
          offered.map(([type, provider]) => keyOf(type, provider)),
        );
        takeConnect();
        const connect_id = `connect-${workspace.nextId()}`;
        connecting.set(connect_id, { integration, startedAt: clock.now() });
        return { auth_url: `https://accounts.example/authorize?state=${connect_id}`, connect_id };
      },
    ],
    [
      "GET /v1/integrations/connect/{connect_id}/status",
      "integration.read",
      ({ path }) => {
        const begun = connecting.get(path.connect_id ?? "");
        if (begun === undefined) throw new Refusal(400, "Invalid connect ID");
        if (clock.now() - begun.startedAt > connectExpiresMs)
          throw new Refusal(410, "Connect ID has expired");
        const { connectionId } = begun;
        return connectionId === undefined
          ? { status: "pending" }
          : { status: "connected", connection_id: bare(connectionId) };
      },
    ],
    [
      "DELETE /v1/integrations/connections/{connection_id}",
      "integration.write",
      ({ path }) => {
        const id = path.connection_id ?? "";
        if (!/^\d+$/.test(id)) throw new Refusal(400, "Invalid connection ID");
        if (!connections.delete(id)) throw new Refusal(404, "Connection not found");
      },
    ],
    [
      "GET /v1/notifications/feed",
      "notification.read",
      ({ query }) => {
        const limit = integer(query.get("limit"), "limit", 20, 1, 50);
        const since = query.get("since");
        const after = since === null ? Number.NEGATIVE_INFINITY : Date.parse(since);
        if (Number.isNaN(after)) throw new Refusal(400, "since must be an ISO 8601 time");
        const matching = notifications
          .filter(({ sent_at }) => Date.parse(sent_at) > after)
          .sort((a, b) => Date.parse(a.sent_at) - Date.parse(b.sent_at));
        return { items: (feedOrder === "newest" ? matching.reverse() : matching).slice(0, limit) };
      },
    ],
    ["GET /v1/notifications/preferences", "notification.read", () => preferences],
    [
      "PATCH /v1/notifications/preferences",
      "notification.write",
      ({ body }) => Object.assign(preferences, picked(body(), Object.keys(preferences))),
    ],
    ["GET /v1/notifications/custom", "notification.read", () => ({ rules: [...rules.values()] })],
    [
      "POST /v1/notifications/custom",
      "notification.write",
      ({ body }) => {
        const prompt = required(body(), "description");
        const id = workspace.nextId();
        rules.set(id, {
          ...{ id, name: prompt.slice(0, 40), prompt, is_enabled: true, schedule: "0 * * * *" },
          created_at: workspace.now(),
        });
        return rules.get(id);
      },
    ],
    ["GET /v1/notifications/custom/{id}", "notification.read", ({ path }) => ruleOf(path.id)],
    [
      "DELETE /v1/notifications/custom/{id}",
      "notification.write",
      ({ path }) => {
        rules.delete(String(ruleOf(path.id).id));
        // The only deletion that returns something.
        return {};
      },
    ],
  ];

  return {
    routes,
    notify(partial: Partial<Notification>[]): Notification[] {
      const added = partial.map((one) => ({
        ...{ id: `ntf_${workspace.nextId()}`, type: "context_alert", status: "unread" },
        ...{ alert_time: workspace.now(), sent_at: workspace.now() },
        content: { important_items: [], entity_changes: [] },
        ...one,
      }));
      notifications = [...notifications, ...added].slice(-10_000);
      return added;
    },
    agree(connectId: string): void {
      const begun = connecting.get(connectId);
      if (begun === undefined) throw new Error(`nobody connects ${connectId}`);
      const id = workspace.nextId();
      connections.set(id, {
        ...{ id, status: "active", identifier: "ops@sandbox-supply.example", integration: begun.integration },
      });
      begun.connectionId = id;
    },
  };
}

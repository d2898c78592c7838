// Nex's connections, and its notifications to people.

import { z } from "zod";
import { fieldsOf, line, prose } from "../input.ts";
import { atLeastOneOf, type Fields, gone, id, many, mayHaveMore, nexTable, one, whole } from "./operation.ts";

const RULE = "GET /notifications/custom/{ruleId}";

const ruleId = () => id("The id of the rule, from nex.notifications.list_rules");

/** The connection, among all integrations. */
const connectionIn = (integrations: unknown, wanted: unknown): Fields | undefined => {
  for (const integration of Array.isArray(integrations) ? integrations.map(fieldsOf) : []) {
    const connections = Array.isArray(integration.connections) ? integration.connections.map(fieldsOf) : [];
    const found = connections.find((connection) => String(connection.id) === wanted);
    if (found) return { ...found, type: integration.type, provider: integration.provider };
  }
  return undefined;
};

export const accountOperations = nexTable([
  {
    name: "nex.integrations.list",
    call: "GET /integrations",
    effect: "read",
    title: "List integrations",
    description: "The services that Nex can connect to (mail, calendar, …), and the existing connections.",
    output: many("integrations"),
  },
  {
    name: "nex.integrations.connect",
    call: "POST /integrations/{type}/{provider}/connect",
    effect: "write",
    idempotent: false,
    title: "Start connecting an integration",
    description:
      "Returns a URL where a person has to sign in and agree within 10 minutes. Nex accepts 10 of these calls a minute.",
    input: () => ({
      type: z.enum(["email", "calendar", "messaging", "crm"]).describe("The type of service to connect"),
      provider: z
        .enum(["google", "microsoft", "slack", "attio", "hubspot", "salesforce"])
        .describe("The provider of the service"),
    }),
    output: whole,
    howToFindOut:
      "There is nothing to find out: without a person's consent nothing is connected. Propose it again.",
  },
  {
    name: "nex.integrations.get_connect_status",
    call: "GET /integrations/connect/{connectId}/status",
    effect: "read",
    title: "Show the status of a connection",
    description:
      "Whether a person has agreed to a started connection; after 10 minutes it counts as refused.",
    input: () => ({ connectId: id("connect_id from the answer of nex.integrations.connect") }),
    output: whole,
  },
  {
    name: "nex.integrations.disconnect",
    call: "DELETE /integrations/connections/{connectionId}",
    effect: "write",
    idempotent: false,
    // Only a person who signs in can restore it.
    destructive: true,
    title: "Disconnect an integration",
    description: "Ends a connection. To restore it, a person has to sign in and agree again.",
    input: () => ({ connectionId: id("The id of the connection, from nex.integrations.list") }),
    output: gone("disconnected", "connectionId"),
    look: {
      call: "GET /integrations",
      find: (answer, { connectionId }) =>
        connectionIn(many("integrations")(answer, {}, "GET /v1/integrations").integrations, connectionId),
      show: ({ type = null, provider = null, identifier = null }) => ({ type, provider, identifier }),
    },
    howToFindOut: "Read nex.integrations.list: is the connection still there?",
  },
  {
    name: "nex.notifications.list",
    call: "GET /notifications/feed",
    effect: "read",
    title: "List notifications",
    description:
      "The latest notifications of Nex to the people of the workspace. `mayHaveMore`: the limit was reached, and there may be more.",
    input: () => ({
      since: z.iso.datetime({ offset: true }).optional().describe("Only notifications after this time"),
      limit: z.int().min(1).max(50).optional().describe("At most this many notifications; default: 20"),
    }),
    output: (answer, input, label) => {
      const listed = many("notifications", "items")(answer, input, label);
      return { ...listed, mayHaveMore: mayHaveMore(listed.notifications, input, 20) };
    },
  },
  {
    name: "nex.notifications.get_preferences",
    call: "GET /notifications/preferences",
    effect: "read",
    title: "Show notification preferences",
    description:
      "How often Nex looks for something to notify about, and which kinds of notifications it sends.",
    output: one("preferences"),
  },
  {
    name: "nex.notifications.update_preferences",
    call: "PATCH /notifications/preferences",
    effect: "write",
    idempotent: true,
    title: "Change notification preferences",
    description:
      "Sets how often Nex looks for something to notify about, and which kinds of notifications it sends.",
    input: () => ({
      frequencyMinutes: z.int().min(1).optional().describe("Minutes between two checks"),
      enabledTypes: z
        .array(line)
        .optional()
        .describe("Every kind to send, such as daily_digest or context_alert; all others are switched off"),
      digestEnabled: z.boolean().optional().describe("Whether to send a digest"),
    }),
    rules: atLeastOneOf("frequencyMinutes", "enabledTypes", "digestEnabled"),
    output: one("preferences"),
  },
  {
    name: "nex.notifications.list_rules",
    call: "GET /notifications/custom",
    effect: "read",
    title: "List custom notification rules",
    description: "The rules, described in words, about what else Nex notifies.",
    output: many("rules"),
  },
  {
    name: "nex.notifications.get_rule",
    call: RULE,
    effect: "read",
    title: "Show a notification rule",
    description: "One rule, and how Nex understood its description.",
    input: () => ({ ruleId: ruleId() }),
    output: one("rule"),
  },
  {
    name: "nex.notifications.create_rule",
    call: "POST /notifications/custom",
    effect: "write",
    idempotent: false,
    title: "Create a notification rule",
    description: "Creates a rule about what Nex notifies, described in words.",
    input: () => ({ description: prose.describe("What to be notified about, in natural language") }),
    output: one("rule"),
    howToFindOut: "Read nex.notifications.list_rules: is there a rule with this description?",
  },
  {
    name: "nex.notifications.delete_rule",
    call: "DELETE /notifications/custom/{ruleId}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Delete a notification rule",
    description: "Deletes a rule permanently.",
    input: () => ({ ruleId: ruleId() }),
    output: gone("deleted", "ruleId"),
    look: { call: RULE, show: ({ name = null, prompt = null }) => ({ name, prompt }) },
    howToFindOut: "Read nex.notifications.get_rule of the rule: not found means that it is deleted.",
  },
]);

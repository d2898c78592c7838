// What Nex is connected with, and what it tells its people by itself.

import { z } from "zod";
import { fieldsOf, line, prose } from "../input.ts";
import { atLeastOneOf, type Fields, gone, id, many, mayHaveMore, nexTable, one, whole } from "./operation.ts";

const RULE = "GET /notifications/custom/{ruleId}";

const ruleId = () => id("The id of the rule, as nex.notifications.list_rules has it");

/** The connection among all integrations. */
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
    description: "What Nex can be connected with (mail, calendar, …), and which connections there are.",
    output: many("integrations"),
  },
  {
    name: "nex.integrations.connect",
    call: "POST /integrations/{type}/{provider}/connect",
    effect: "write",
    idempotent: false,
    title: "Begin to connect an integration",
    description:
      "Gives an address at which a person has to sign in and agree, within 10 minutes. Nex takes 10 of these a minute.",
    input: () => ({
      type: z.enum(["email", "calendar", "messaging", "crm"]).describe("What is connected"),
      provider: z
        .enum(["google", "microsoft", "slack", "attio", "hubspot", "salesforce"])
        .describe("Whose it is"),
    }),
    output: whole,
    howToFindOut:
      "Nothing has to be found out: without a person who agrees nothing is connected. Propose it again.",
  },
  {
    name: "nex.integrations.get_connect_status",
    call: "GET /integrations/connect/{connectId}/status",
    effect: "read",
    title: "Show how far a connection is",
    description:
      "Whether a person has agreed to a connection that was begun; after 10 minutes it is refused.",
    input: () => ({ connectId: id("connect_id of the answer to nex.integrations.connect") }),
    output: whole,
  },
  {
    name: "nex.integrations.disconnect",
    call: "DELETE /integrations/connections/{connectionId}",
    effect: "write",
    idempotent: false,
    // Only a person who signs in can connect it again.
    destructive: true,
    title: "Disconnect an integration",
    description: "Ends a connection. To have it again a person has to sign in and agree once more.",
    input: () => ({ connectionId: id("The id of the connection, as nex.integrations.list has it") }),
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
      "What Nex has lately told the people of the workspace. `mayHaveMore` says that it is as many as were asked for, and that there may be more.",
    input: () => ({
      since: z.iso.datetime({ offset: true }).optional().describe("Only what came after this time"),
      limit: z.int().min(1).max(50).optional().describe("The most notifications; 20 where left out"),
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
    title: "Show what is notified",
    description: "How often Nex looks for something to tell, and of which kinds.",
    output: one("preferences"),
  },
  {
    name: "nex.notifications.update_preferences",
    call: "PATCH /notifications/preferences",
    effect: "write",
    idempotent: true,
    title: "Change what is notified",
    description: "Sets how often Nex looks for something to tell, and of which kinds.",
    input: () => ({
      frequencyMinutes: z.int().min(1).optional().describe("Minutes between two looks"),
      enabledTypes: z
        .array(line)
        .optional()
        .describe(
          "Every kind that is wanted, such as daily_digest or context_alert; others are switched off",
        ),
      digestEnabled: z.boolean().optional().describe("Whether there is a digest"),
    }),
    rules: atLeastOneOf("frequencyMinutes", "enabledTypes", "digestEnabled"),
    output: one("preferences"),
  },
  {
    name: "nex.notifications.list_rules",
    call: "GET /notifications/custom",
    effect: "read",
    title: "List own rules of notification",
    description: "The rules, made in words, of what else Nex is to tell.",
    output: many("rules"),
  },
  {
    name: "nex.notifications.get_rule",
    call: RULE,
    effect: "read",
    title: "Show a rule of notification",
    description: "One rule, with what Nex made of its words.",
    input: () => ({ ruleId: ruleId() }),
    output: one("rule"),
  },
  {
    name: "nex.notifications.create_rule",
    call: "POST /notifications/custom",
    effect: "write",
    idempotent: false,
    title: "Create a rule of notification",
    description: "A new rule of what Nex is to tell, described in words.",
    input: () => ({ description: prose.describe("What to be told of, in natural language") }),
    output: one("rule"),
    howToFindOut: "Read nex.notifications.list_rules: is there a rule made of these words?",
  },
  {
    name: "nex.notifications.delete_rule",
    call: "DELETE /notifications/custom/{ruleId}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Delete a rule of notification",
    description: "Deletes a rule for good.",
    input: () => ({ ruleId: ruleId() }),
    output: gone("deleted", "ruleId"),
    look: { call: RULE, show: ({ name = null, prompt = null }) => ({ name, prompt }) },
    howToFindOut: "Read nex.notifications.get_rule of the rule: not found means that it is deleted.",
  },
]);

// Invitations to the organization, through the function agent-invite. The vendor publishes its actions; the names of
// its other fields (`email`, `role`, `invite_id`) are inferred from the table and may differ.

import { z } from "zod";
import { defineOperation, type NexusFacts } from "./facts.ts";
import { label, rowId } from "./fields.ts";
import { answerOf, callFunction, listOf } from "./functions.ts";

const invite = (facts: NexusFacts, action: string, fields: Record<string, unknown> = {}) =>
  callFunction(facts, "agent-invite", { action, ...fields });

const HOW_TO_FIND_OUT = "Look with nexus.invites.list, and ask the person who was invited.";
const inviteId = rowId("invitation");

export const listInvites = defineOperation({
  name: "nexus.invites.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List invitations",
  description: "The invitations to the organization of the key.",
  input: z.lazy(() => z.strictObject({})),
  request: (_, facts) => invite(facts, "list"),
  output: listOf,
});

export const createInvite = defineOperation({
  name: "nexus.invites.create",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Invite a person to the organization",
  description:
    "Sends an invitation by e-mail. Whoever accepts it sees the data of the organization that the role allows.",
  input: z.lazy(() =>
    z.strictObject({
      email: z.email().describe("The e-mail address to invite"),
      role: label("agent, member").describe("The role of the new member, as Nexus names it"),
    }),
  ),
  request: ({ email, role }, facts) => invite(facts, "invite", { email, role }),
  output: answerOf,
  target: ({ email }) => `nexus/invites/${email.toLowerCase()}`,
  howToFindOut: HOW_TO_FIND_OUT,
});

export const cancelInvite = defineOperation({
  name: "nexus.invites.cancel",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Withdraw an invitation",
  description: "Cancels an invitation that has not been accepted yet.",
  input: z.lazy(() => z.strictObject({ inviteId })),
  request: (input, facts) => invite(facts, "cancel", { invite_id: input.inviteId }),
  output: answerOf,
  target: (input) => `nexus/invites/${input.inviteId.toLowerCase()}`,
  howToFindOut: HOW_TO_FIND_OUT,
});

export const resendInvite = defineOperation({
  name: "nexus.invites.resend",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Send an invitation again",
  description: "Sends the e-mail of an invitation once more.",
  input: z.lazy(() => z.strictObject({ inviteId })),
  request: (input, facts) => invite(facts, "resend", { invite_id: input.inviteId }),
  output: answerOf,
  target: (input) => `nexus/invites/${input.inviteId.toLowerCase()}`,
  howToFindOut: HOW_TO_FIND_OUT,
});

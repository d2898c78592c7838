// Customers of Nexus and the chats with them: what can be asked and changed.

import { z } from "zod";
import { line, present, prose } from "../input.ts";
import { defineOperation, OperationError } from "../operation.ts";
import { NEWEST_FIRST, readRows, rowOf, rowsOf, writeRow, writtenRow } from "./rows.ts";

const phoneNumber = z
  .string()
  .regex(
    /^\+[1-9]\d{4,14}$/,
    "must be a number with its country code and nothing else, such as +201005550101",
  )
  .describe("A phone number with its country code (E.164)");
const email = z.email().describe("An e-mail address");
const tags = z.array(line).max(100);

export const searchCustomers = defineOperation({
  name: "nexus.customers.search",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Find customers",
  description:
    "The customers with a phone number, an e-mail address or both, exactly as Nexus has it, newest first.",
  input: z.lazy(() =>
    z
      .strictObject({ phoneNumber: phoneNumber.optional(), email: email.optional() })
      .refine((input) => input.phoneNumber !== undefined || input.email !== undefined, {
        path: ["phoneNumber"],
        message: "is needed, or email",
      }),
  ),
  request: ({ phoneNumber, email }, facts) =>
    readRows(facts, "customers", {
      phone_number: phoneNumber && `eq.${phoneNumber}`,
      email: email && `eq.${email}`,
      order: NEWEST_FIRST,
      limit: 100,
    }),
  output: (answer) => ({ customers: rowsOf(answer, "customers") }),
});

export const createCustomer = defineOperation({
  name: "nexus.customers.create",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Create a customer",
  description:
    "A new customer, even where there is one like it: look with nexus.customers.search first. It needs a name, a phone number or an e-mail address.",
  input: z.lazy(() =>
    z
      .strictObject({
        firstName: line.optional().describe("The first name"),
        lastName: line.optional().describe("The last name"),
        phoneNumber: phoneNumber.optional(),
        email: email.optional(),
        address: z
          .strictObject({
            line1: line.optional().describe("Street and number"),
            line2: line.optional().describe("What else the address has"),
            city: line.optional().describe("The city"),
            country: line.optional().describe("The country"),
          })
          .optional()
          .describe("Where the customer lives"),
        tags: tags.optional().describe("The tags"),
        notes: prose.optional().describe("What else there is to know"),
      })
      .refine(
        ({ firstName, lastName, phoneNumber, email }) => firstName ?? lastName ?? phoneNumber ?? email,
        {
          path: ["firstName"],
          message: "is needed, or lastName, phoneNumber or email",
        },
      ),
  ),
  request: ({ firstName, lastName, phoneNumber, email, address, tags, notes }, facts) =>
    writeRow(
      facts,
      "POST",
      "customers",
      {},
      {
        organization_id: facts.organizationId(),
        ...present({ first_name: firstName, last_name: lastName, phone_number: phoneNumber, email }),
        ...present({ address: address && present(address), tags, notes }),
      },
    ),
  output: (answer) => ({ customer: writtenRow(answer, "customers") }),
  readBack: async ({ phoneNumber, email }, facts, read, startedAt) => {
    if (phoneNumber === undefined && email === undefined) return { kind: "cannot_tell" };
    const answer = await read(
      readRows(facts, "customers", {
        phone_number: phoneNumber && `eq.${phoneNumber}`,
        email: email && `eq.${email}`,
        limit: 100,
      }),
    );
    const customers = rowsOf(answer, "customers");
    // By the clock of Nexus. Where that is behind ours nothing is certain, and nothing is claimed.
    const [created, ...more] = customers.filter((row) => Date.parse(String(row.created_at)) >= startedAt);
    if (created && more.length === 0) return { kind: "done", output: { customer: created } };
    return { kind: customers.length === 0 ? "not_found" : "cannot_tell" };
  },
  howToFindOut: "Look with nexus.customers.search: is there a customer created at this time?",
});

const customerId = z.guid().describe("The id of the customer, a UUID");

export const updateTags = defineOperation({
  name: "nexus.customers.update_tags",
  service: "nexus",
  effect: "write",
  // The list is set as a whole, so that setting it twice is the same.
  idempotent: true,
  title: "Set the tags of a customer",
  description: "Replaces all tags of a customer: those that are not in the list are removed.",
  input: z.lazy(() =>
    z.strictObject({ customerId, tags: tags.describe("All tags that the customer is to have") }),
  ),
  request: ({ customerId, tags }, facts) =>
    writeRow(facts, "PATCH", "customers", { id: `eq.${customerId}` }, { tags }),
  output: (answer) => ({ customer: writtenRow(answer, "customers") }),
  target: (input) => `nexus/customers/${input.customerId.toLowerCase()}`,
});

const WHATSAPP = "whatsapp";

export const sendWhatsapp = defineOperation({
  name: "nexus.whatsapp.send_message",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Send a WhatsApp message",
  description: "Writes to a customer in a WhatsApp chat that is open. It cannot be taken back.",
  input: z.lazy(() =>
    z.strictObject({
      chatId: z.guid().describe("The id of the chat, a UUID"),
      message: prose.describe("The text of the message"),
    }),
  ),
  request: ({ chatId, message }, facts) => ({
    method: "POST",
    origin: facts.origins.nexus,
    path: "/functions/v1/whatsapp-send-message",
    label: "POST /functions/v1/whatsapp-send-message",
    json: { chatId, message, organizationId: facts.organizationId() },
    credential: { kind: "nexus" },
  }),
  output: ({ body }) => body ?? null,
  target: (input) => `nexus/chats/${input.chatId.toLowerCase()}`,
  // Who will read it.
  precondition: async ({ chatId }, facts, read) => {
    const chat = rowOf(await read(readRows(facts, "chats", { id: `eq.${chatId}`, limit: 1 })), "chats");
    if (chat.platform !== WHATSAPP)
      throw new OperationError("refused", "This chat is not one of WhatsApp: the message cannot reach it.");
    return { contactName: chat.contact_name ?? null, contactPhone: chat.contact_phone ?? null };
  },
  readBack: async ({ chatId, message }, facts, read, startedAt) => {
    const answer = await read(
      readRows(facts, "messages", {
        chat_id: `eq.${chatId}`,
        direction: "eq.outbound",
        timestamp: `gte.${new Date(startedAt).toISOString()}`,
        order: "timestamp.asc,id.asc",
        limit: 100,
      }),
    );
    const found = rowsOf(answer, "messages").find((row) => row.content === message);
    // Whether Nexus writes a message down before or after it has sent it is not documented.
    return found ? { kind: "done", output: found } : { kind: "cannot_tell" };
  },
  howToFindOut: "Look in the chat: is the message there?",
});

// Conversations with customers: the chats, their messages, and sending one.

import { z } from "zod";
import { line, present, prose } from "../input.ts";
import { type Operation, OperationError } from "../operation.ts";
import { defineOperation, type NexusFacts } from "./facts.ts";
import { phoneNumber, rowId, time } from "./fields.ts";
import { answerOf, callFunction } from "./functions.ts";
import { createKeyset } from "./keyset.ts";
import { MOST_ROWS, pageAs, paging, readPage, readRows, rowOf, rowsOf, where } from "./rows.ts";

const chatId = rowId("chat");
const platforms = ["whatsapp", "facebook", "instagram"] as const;
type Platform = (typeof platforms)[number];

/** Most recently active first; those without any message at the end. */
const LAST_ACTIVE_FIRST = createKeyset([
  { column: "last_message_time", descending: true, nullsLast: true },
  { column: "id", descending: true },
]);

export const listChats = defineOperation({
  name: "nexus.chats.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List conversations",
  description: "Chats with customers, most recently active first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      platform: z.enum(platforms).optional().describe("Only chats on this platform"),
      isArchived: z.boolean().default(false).describe("true: only archived chats; default: only the others"),
      unread: z.boolean().default(false).describe("Only chats with unread messages"),
      contactPhone: phoneNumber.optional().describe("Only chats with this phone number (E.164)"),
      assignedTo: line.optional().describe("Only chats assigned to this person"),
      ...paging(LAST_ACTIVE_FIRST, "chats"),
    }),
  ),
  request: ({ platform, isArchived, unread, contactPhone, assignedTo, ...page }, facts) =>
    readPage(
      facts,
      "chats",
      {
        platform: where("eq", platform),
        is_archived: where("is", isArchived),
        unread_count: unread ? where("gt", 0) : undefined,
        contact_phone: where("eq", contactPhone),
        assigned_to: where("eq", assignedTo),
      },
      LAST_ACTIVE_FIRST,
      page,
    ),
  output: pageAs("chats", "chats", LAST_ACTIVE_FIRST),
});

const NEWEST_MESSAGE_FIRST = createKeyset([
  { column: "timestamp", descending: true },
  { column: "id", descending: true },
]);

export const listMessages = defineOperation({
  name: "nexus.messages.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show the messages of a conversation",
  description:
    "The messages of one chat by `timestamp`, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      chatId,
      direction: z
        .enum(["inbound", "outbound"])
        .optional()
        .describe("Only received messages, or only sent ones"),
      sentFrom: time.optional().describe("Only messages sent at or after this time"),
      sentTo: time.optional().describe("Only messages sent before this time"),
      ...paging(NEWEST_MESSAGE_FIRST, "messages"),
    }),
  ),
  request: ({ chatId, direction, sentFrom, sentTo, ...page }, facts) =>
    readPage(
      facts,
      "messages",
      {
        chat_id: where("eq", chatId),
        direction: where("eq", direction),
        timestamp: [where("gte", sentFrom), where("lt", sentTo)],
      },
      NEWEST_MESSAGE_FIRST,
      page,
    ),
  output: pageAs("messages", "messages", NEWEST_MESSAGE_FIRST),
});

const chatRequest = (facts: NexusFacts, id: string) =>
  readRows(facts, "chats", { id: where("eq", id), limit: 1 });

export interface ChatMessage {
  chatId: string;
  message: string;
}

/** A message in an open chat. The functions differ by platform only in their name. */
const sendMessage = (
  platform: Platform,
  brand: string,
  article: "a" | "an",
): Operation<ChatMessage, NexusFacts> =>
  defineOperation({
    name: `nexus.${platform}.send_message`,
    service: "nexus",
    effect: "write",
    idempotent: false,
    title: `Send ${article} ${brand} message`,
    description: `Sends a message to a customer in an open ${brand} chat. It cannot be undone.`,
    input: z.lazy(() => z.strictObject({ chatId, message: prose.describe("The text of the message") })),
    request: ({ chatId, message }, facts) =>
      callFunction(facts, `${platform}-send-message`, {
        chatId,
        message,
        organizationId: facts.organizationId(),
      }),
    output: answerOf,
    target: (input) => `nexus/chats/${input.chatId.toLowerCase()}`,
    // Who will read it.
    precondition: async ({ chatId }, facts, read) => {
      const chat = rowOf(await read(chatRequest(facts, chatId)), "chats");
      if (chat.platform !== platform)
        throw new OperationError("refused", `This is not a ${brand} chat: the message cannot reach it.`);
      return { contactName: chat.contact_name ?? null, contactPhone: chat.contact_phone ?? null };
    },
    readBack: async ({ chatId, message }, facts, read, startedAt) => {
      const answer = await read(
        readRows(facts, "messages", {
          chat_id: where("eq", chatId),
          direction: "eq.outbound",
          timestamp: where("gte", new Date(startedAt).toISOString()),
          order: "timestamp.asc,id.asc",
          limit: MOST_ROWS,
        }),
      );
      const found = rowsOf(answer, "messages").find((row) => row.content === message);
      // It is undocumented whether Nexus stores a message before or after it has sent it.
      return found ? { kind: "done", output: found } : { kind: "cannot_tell" };
    },
    howToFindOut: "Look with nexus.messages.list of the chat: is the message there?",
  });

export const sendWhatsapp = sendMessage("whatsapp", "WhatsApp", "a");
export const sendFacebook = sendMessage("facebook", "Facebook", "a");
export const sendInstagram = sendMessage("instagram", "Instagram", "an");

export const sendTemplate = defineOperation({
  name: "nexus.whatsapp.send_template",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Send a WhatsApp template",
  description:
    "Sends a template that WhatsApp has approved to a phone number, with or without an open chat. It cannot be undone.",
  input: z.lazy(() =>
    z.strictObject({
      phoneNumber,
      templateName: line.describe("The name of the template"),
      language: z
        .string()
        .regex(/^[a-z]{2,3}(_[A-Z]{2})?$/, "must be a language, such as ar or en_US")
        .describe("The language of the template"),
      components: z
        .array(z.record(z.string(), z.unknown()))
        .max(50)
        .default([])
        .describe("The values for the template, in the form of WhatsApp's API"),
    }),
  ),
  request: ({ phoneNumber, templateName, language, components }, facts) =>
    callFunction(facts, "whatsapp-send-template", {
      phone_number: phoneNumber,
      template_name: templateName,
      ...present({ language, components }),
    }),
  output: answerOf,
  target: (input) => `nexus/phones/${input.phoneNumber}`,
  howToFindOut:
    "Look with nexus.chats.list for the chat with this phone number, and in it for a message of type template.",
});

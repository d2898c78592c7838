// Conversations with customers: the unread ones, and each new message of a customer.

import type { z } from "zod";
import { conversation } from "../../contract/events/nexus.ts";
import { asNumber, asText } from "./client.ts";
import { defineWatch, type WatchSettings } from "./watch.ts";

export const conversationWatch = defineWatch<WatchSettings, z.infer<typeof conversation>>({
  job: "nexus-conversations",
  description: "Follows the unread conversations of Nexus, and their messages.",
  table: "chats",
  filter: () => [{ column: "unread_count", operator: "gt", value: 0 }],
  kind: "nexus.conversation.unread",
  state: conversation,
  edges({ row, before }) {
    const source = "/nexus/conversations";
    const seen = row && {
      chatId: row.id,
      platform: asText(row.platform),
      contactName: asText(row.contact_name),
      contactPhone: asText(row.contact_phone),
      unreadCount: asNumber(row.unread_count),
      lastMessageTime: asText(row.last_message_time),
      assignedTo: asText(row.assigned_to),
    };
    const isUnread = seen !== undefined && (seen.unreadCount ?? 0) > 0;
    if (isUnread && before) return { events: [], state: seen };
    if (isUnread)
      return {
        events: [{ type: "nexus.conversation.unread", source, subject: seen.chatId, data: seen }],
        state: seen,
      };
    if (!before) return { events: [], state: undefined };
    const data = { ...(seen ?? { ...before, unreadCount: null }), removed: seen === undefined };
    return {
      events: [{ type: "nexus.conversation.read", source, subject: before.chatId, data }],
      state: undefined,
    };
  },
  feed: {
    setting: "messages",
    table: "messages",
    select: "id,chat_id,message_type,content,media_url,timestamp",
    time: "timestamp",
    filters: [{ column: "direction", operator: "eq", value: "inbound" }],
    event: (row) => ({
      type: "nexus.conversation.message",
      source: "/nexus/conversations",
      subject: asText(row.chat_id) ?? row.id,
      data: {
        messageId: row.id,
        chatId: asText(row.chat_id),
        messageType: asText(row.message_type),
        text: asText(row.content),
        mediaUrl: asText(row.media_url),
        sentAt: asText(row.timestamp),
      },
    }),
  },
});

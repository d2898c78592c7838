// The essential facts of Nexus' events, for a person.

import { type EventWords, text, timeOf, words } from "../../events/words.ts";

export const nexusWords: EventWords = (name, data, now) => {
  switch (name) {
    case "nexus.stock.low":
    case "nexus.stock.recovered": {
      const item = words(data.sku, data.name);
      if (data.removed === true) return `${item}: removed`;
      return `${item}: ${text(data.availableQuantity)} (threshold ${text(data.threshold)})`;
    }
    case "nexus.order.pending":
    case "nexus.order.overdue":
    case "nexus.order.advanced": {
      // Earlier versions reported the previous status as that of the deleted order.
      const before = text(data.previousStatus ?? data.orderStatus);
      const state = data.removed === true ? `removed, was ${before}` : data.orderStatus;
      const since = timeOf(text(data.pendingSince), now);
      return `${words(data.orderNumber, state, data.totalAmount, data.currency)}, since ${since}`;
    }
    case "nexus.conversation.unread":
    case "nexus.conversation.read":
      return words(
        ...[data.platform, data.contactName ?? data.contactPhone],
        ...(data.removed === true ? ["removed"] : [data.unreadCount, "unread"]),
      );
    case "nexus.conversation.message":
      return `${words(data.messageType, "in", data.chatId)}: ${text(data.text ?? data.mediaUrl)}`;
    case "nexus.shipment.opened":
    case "nexus.shipment.moved":
    case "nexus.shipment.closed":
      return words(data.awbNumber, data.courierName, data.removed === true ? "removed" : data.status);
    case "nexus.shipment.logged":
      return words(data.shipmentId, data.status, "at", data.loggedAt);
    default:
      return undefined;
  }
};

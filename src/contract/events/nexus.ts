// Stock, orders, conversations and shipments of Nexus. Texts and numbers are those of its rows; null: the row has none.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { given, time } from "./fields.ts";

const removed = z.boolean().describe("whether the row was deleted, or this key can no longer see it");

export const stockItem = z.object({
  itemId: z.string(),
  sku: given,
  name: given,
  warehouseId: given,
  availableQuantity: z.number().nullable().describe("pieces in the warehouse that are not reserved"),
  threshold: z.number().describe("pieces: the stock is low below this"),
});
const HOODIE = {
  itemId: "0a000000-0000-4000-8000-000000000104",
  sku: "HOODIE-L-GRY",
  name: "Hoodie, grey, L",
  warehouseId: "0a000000-0000-4000-8000-000000000201",
  availableQuantity: 9,
  threshold: 10,
};

export const pendingOrder = z.object({
  orderId: z.string(),
  orderNumber: given,
  orderStatus: given,
  totalAmount: z
    .union([z.number(), z.string()])
    .nullable()
    .describe("in units of `currency`, as the service writes it"),
  currency: given,
  customerId: given,
  createdAt: given,
  pendingSince: time.describe("since when it counts as pending"),
});
const ORDER = {
  orderId: "0a000000-0000-4000-8000-000000000506",
  orderNumber: "NX-1006",
  orderStatus: "pending",
  totalAmount: 42.5,
  currency: "USD",
  customerId: "0a000000-0000-4000-8000-000000000301",
  createdAt: "2026-11-30T09:58:12.114+00:00",
  pendingSince: "2026-11-30T09:58:12.114Z",
};

export const conversation = z.object({
  chatId: z.string(),
  platform: given,
  contactName: given,
  contactPhone: given,
  unreadCount: z.number().nullable(),
  lastMessageTime: given,
  assignedTo: given,
});
const CHAT = {
  chatId: "0a000000-0000-4000-8000-000000000701",
  platform: "whatsapp",
  contactName: "Maria Lopez",
  contactPhone: "+15550100",
  unreadCount: 1,
  lastMessageTime: "2026-11-30T09:59:00+00:00",
  assignedTo: null,
};

export const shipment = z.object({
  shipmentId: z.string(),
  awbNumber: given,
  orderId: given,
  courierName: given,
  trackingNumber: given,
  status: given,
});
const PARCEL = {
  shipmentId: "0a000000-0000-4000-8000-000000000801",
  awbNumber: "AWB-2201",
  orderId: ORDER.orderId,
  courierName: "Bosta",
  trackingNumber: "BST-55",
  status: "in_transit",
};
const previousStatus = given.describe("the status when it was last read");

export const nexusEvents = {
  "nexus.stock.low": declareEvent({
    when: "The available quantity of an item in a warehouse fell below its threshold.",
    subject: "the SKU, or the id of the item",
    data: stockItem,
    example: HOODIE,
  }),
  "nexus.stock.recovered": declareEvent({
    when: "A low item rose above the recovery threshold, or its row is gone (its quantity null).",
    subject: "the SKU, or the id of the item",
    data: stockItem.extend({ removed }),
    example: { ...HOODIE, availableQuantity: 40, removed: false },
  }),
  "nexus.order.pending": declareEvent({
    when: "An order became pending.",
    subject: "the order's number, or its id",
    data: pendingOrder,
    example: ORDER,
  }),
  "nexus.order.overdue": declareEvent({
    when: "An order has been pending for longer than `overdue_after`; reported once each time it is pending.",
    subject: "the order's number, or its id",
    data: pendingOrder.extend({ overdueAfterMs: z.number().describe("the limit, in milliseconds") }),
    example: { ...ORDER, overdueAfterMs: 1_800_000 },
  }),
  "nexus.order.advanced": declareEvent({
    when: "An order is no longer pending: it has another status, or it was deleted (`removed`, its status null).",
    subject: "the order's number, or its id",
    data: pendingOrder.extend({ previousStatus, removed }),
    example: { ...ORDER, orderStatus: "confirmed", previousStatus: "pending", removed: false },
  }),
  "nexus.conversation.unread": declareEvent({
    when: "A conversation has unread messages.",
    subject: "the id of the conversation",
    data: conversation,
    example: CHAT,
  }),
  "nexus.conversation.read": declareEvent({
    when: "A conversation has no unread messages any more, or its row is gone (its count null).",
    subject: "the id of the conversation",
    data: conversation.extend({ removed }),
    example: { ...CHAT, unreadCount: 0, removed: false },
  }),
  "nexus.conversation.message": declareEvent({
    when: "A customer wrote a message.",
    subject: "the id of the conversation, or of the message",
    data: z.object({
      messageId: z.string(),
      chatId: given,
      messageType: given,
      text: given,
      mediaUrl: given,
      sentAt: given,
    }),
    example: {
      messageId: "0a000000-0000-4000-8000-000000000901",
      chatId: CHAT.chatId,
      messageType: "text",
      text: "Where is my parcel?",
      mediaUrl: null,
      sentAt: "2026-11-30T09:59:00+00:00",
    },
  }),
  "nexus.shipment.opened": declareEvent({
    when: "A shipment became active.",
    subject: "the waybill's number, or the id of the shipment",
    data: shipment,
    example: { ...PARCEL, status: "created" },
  }),
  "nexus.shipment.moved": declareEvent({
    when: "An active shipment changed its status.",
    subject: "the waybill's number, or the id of the shipment",
    data: shipment.extend({ previousStatus }),
    example: { ...PARCEL, previousStatus: "picked_up" },
  }),
  "nexus.shipment.closed": declareEvent({
    when: "A shipment is no longer active, or its row is gone (its status null).",
    subject: "the waybill's number, or the id of the shipment",
    data: shipment.extend({ previousStatus, removed }),
    example: { ...PARCEL, status: "delivered", previousStatus: "in_transit", removed: false },
  }),
  "nexus.shipment.logged": declareEvent({
    when: "The tracking history has a new entry.",
    subject: "the id of the shipment, or of the entry",
    data: z.object({
      logId: z.string(),
      shipmentId: given,
      status: given,
      loggedAt: given,
      entry: z.record(z.string(), z.unknown()).describe("the row of the history, with all its columns"),
    }),
    example: {
      logId: "0a000000-0000-4000-8000-000000000951",
      shipmentId: PARCEL.shipmentId,
      status: "in_transit",
      loggedAt: "2026-11-30T09:40:00+00:00",
      entry: { awb_id: PARCEL.shipmentId, timestamp: "2026-11-30T09:40:00+00:00" },
    },
  }),
};

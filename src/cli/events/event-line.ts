// Events as lines for a person: sequence, time, type and what each says, in columns, all of it made visible.

import { TYPE_PREFIX } from "../../contract/new-event.ts";
import { parseJson, stringifyJson } from "../../core/exact-json.ts";
import { short } from "../../core/redaction.ts";
import { pad, visible, width } from "../../core/text/visible.ts";
import { type Line, ofType } from "../terminal/colour.ts";

/** Sequence, time, type, and what the event says. */
type Cells = [string, string, string, string];
type Widths = readonly [number, number, number];

// Of those who follow nobody knows what comes: five digits, and the longest type. A time of another day is wider.
const FOLLOWING: Widths = [5, 8, 26];

/**
 * The lines of a page, its columns as wide as it needs.
 * @param events CloudEvents of the log, as JSON
 */
export function eventLines(events: string[], now = new Date()): Line[] {
  const rows = events.map((json) => cells(json, now));
  const widest = (column: 0 | 1 | 2) => Math.max(0, ...rows.map((row) => width(row[column])));
  const widths: Widths = [widest(0), widest(1), widest(2)];
  return rows.map((row) => aligned(row, widths));
}

/** The line of an event that comes alone, as wide as that of any other. */
export const eventLine = (json: string, now = new Date()): Line => aligned(cells(json, now), FOLLOWING);

const aligned = ([sequence, time, type, says]: Cells, widths: Widths): Line => [
  `${sequence.padStart(widths[0])}  ${pad(time, widths[1])}  `,
  ofType(type),
  `${pad(type, widths[2]).slice(type.length)}  ${says}`,
];

function cells(json: string, now: Date): Cells {
  const event = record(parseJson(json));
  const type = text(event.type);
  const name = type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : type;
  const says = digest(name, record(event.data), now);
  const subject = text(event.subject);
  const isNews = isName(subject) && !says.split(/[\s:]+/).includes(subject);
  const at = { sequence: visible(text(event.sequence)), time: visible(timeOf(text(event.time), now)) };
  return [at.sequence, at.time, visible(name), visible(isNews ? `${subject} ${says}` : says)];
}

/** An order number, a SKU, a job; not an id that was made for machines. */
const isName = (subject: string) =>
  subject !== "" && subject.length <= 24 && !/^[0-9a-f-]{16,}$/i.test(subject);

/** The local time, with its date where that is not today's; anything else as it is. */
function timeOf(text: string, now: Date): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const two = (part: number) => String(part).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  if (time.toDateString() === now.toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}

/** The few words of `data` that a person looks for; an unknown type shows its data. */
function digest(name: string, data: Record<string, unknown>, now: Date): string {
  const who = text(data.alias) || shortSession(text(data.sessionId));
  switch (name) {
    case "messaging.message.received":
      return `${who} ${text(data.agentId)}: ${text(data.text ?? data.json)}`;
    case "nex.insight.received": {
      const insight = record(data.insight);
      return `${text(data.origin)} ${text(insight.type)}: ${text(insight.content ?? insight.title ?? insight)}`;
    }
    case "nex.context.progressed":
    case "nex.context.completed":
    case "nex.context.failed":
      return words(data.operation, data.status ?? data.error ?? data.result);
    case "nex.notification.received": {
      const { type, content } = record(data.notification);
      const { important_items: items } = record(content);
      const titles = Array.isArray(items) ? items.map((item) => text(record(item).title)) : [];
      return `${text(type)}: ${titles.filter(Boolean).join("; ") || text(content)}`;
    }
    case "nexus.stock.low":
    case "nexus.stock.recovered": {
      const item = words(data.sku, data.name);
      if (data.removed === true) return `${item}: removed`;
      return `${item}: ${text(data.availableQuantity)} (threshold ${text(data.threshold)})`;
    }
    case "nexus.order.pending":
    case "nexus.order.overdue":
    case "nexus.order.advanced": {
      // Earlier versions told the status before as that of a deleted order.
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
  }
  if (name.startsWith("write.")) {
    const error = record(data.error);
    const why = text(error.code)
      ? `${text(error.code)}: ${text(error.message)}`
      : text(data.note ?? data.reason);
    return [text(data.operation), why].filter(Boolean).join(": ");
  }
  if (name.startsWith("messaging.")) return words(who, data.agentId, data.message ?? data.expiresAt);
  if (data.message !== undefined)
    return words(data.service ?? data.job, `${text(data.code)}: ${text(data.message)}`);
  return text(data);
}

const words = (...values: unknown[]) => values.map(text).filter(Boolean).join(" ");

const record = (value: unknown): Record<string, unknown> =>
  // Checked right here; an array is harmless, since only names are looked up.
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string => {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : stringifyJson(value);
};

/** A session id is a secret: on a screen its beginning is enough to tell it from another. */
const shortSession = (id: string) => (id ? short(id) : "");

// An event as one line for a person: sequence, time, type, subject and what it says, all of it made visible.

import { short } from "../daemon/redact.ts";
import { TYPE_PREFIX } from "../events/types.ts";
import { parseJson, stringifyJson } from "../http/json.ts";
import { clip, pad, visible } from "../text/visible.ts";

/** @param json a CloudEvent of the log */
export function eventLine(json: string): string {
  const event = record(parseJson(json));
  const type = text(event.type);
  const name = type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : type;
  const columns = [
    pad(visible(text(event.sequence)), 6),
    visible(text(event.time).replace(/\.\d+Z$/, "Z")),
    pad(visible(name), 26),
    pad(clip(visible(text(event.subject) || "-"), 20), 12),
    visible(digest(name, record(event.data))),
  ];
  return columns.join("  ").trimEnd();
}

/** The few words of `data` that a person looks for; an unknown type shows its data. */
function digest(name: string, data: Record<string, unknown>): string {
  const who = text(data.alias) || shortSession(text(data.sessionId));
  switch (name) {
    case "messaging.message.received":
      return `${who} ${text(data.agentId)}: ${text(data.text ?? data.json)}`;
    case "nex.insight.received": {
      const insight = record(data.insight);
      return `${text(data.origin)} ${text(insight.type)}: ${text(insight.content ?? insight.title ?? insight)}`;
    }
    case "nexus.stock.low":
    case "nexus.stock.recovered":
      return `${text(data.sku)} ${text(data.name)}: ${text(data.availableQuantity)} (threshold ${text(data.threshold)})`;
    case "nexus.order.pending":
    case "nexus.order.overdue":
    case "nexus.order.advanced":
      return `${text(data.orderNumber)} ${text(data.orderStatus)} ${text(data.totalAmount)} ${text(data.currency)}, since ${text(data.pendingSince)}`;
  }
  if (name.startsWith("write.")) {
    const error = record(data.error);
    const why = text(error.code)
      ? `${text(error.code)}: ${text(error.message)}`
      : text(data.note ?? data.reason);
    return [text(data.operation), why].filter(Boolean).join(": ");
  }
  if (name.startsWith("messaging."))
    return [who, text(data.agentId), text(data.message ?? data.expiresAt)].filter(Boolean).join(" ");
  if (data.message !== undefined)
    return [data.service ?? data.job, `${text(data.code)}: ${text(data.message)}`].filter(Boolean).join(" ");
  return text(data);
}

const record = (value: unknown): Record<string, unknown> =>
  // Checked right here; an array is harmless, since only names are looked up.
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string => {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : stringifyJson(value);
};

/** A session id is a secret: on a screen its beginning is enough to tell it from another. */
const shortSession = (id: string) => (id ? short(id) : "");

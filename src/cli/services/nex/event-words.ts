// The essential facts of Nex's events, for a person.

import { type EventWords, record, text, words } from "../../events/words.ts";

export const nexWords: EventWords = (name, data) => {
  switch (name) {
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
    default:
      return undefined;
  }
};

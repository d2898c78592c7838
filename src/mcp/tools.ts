// The tools, in the order of the list: only twelve, since every prompt pays for the list.

import type { Tool } from "./tool.ts";
import { eventsAck, eventsRead, eventsWait } from "./tools/events.ts";
import { insightsSearch } from "./tools/insights.ts";
import { messagesRead, messagesSend, sessionsList } from "./tools/messages.ts";
import { operationsDescribe, operationsFind, read } from "./tools/operations.ts";
import { propose, writesGet } from "./tools/writes.ts";

export const TOOLS: readonly Tool[] = [
  ...[eventsRead, eventsAck, eventsWait],
  ...[sessionsList, messagesRead, messagesSend],
  insightsSearch,
  ...[operationsFind, operationsDescribe, read],
  ...[propose, writesGet],
];

// Every type of event with the schema of its data: the only place where they are declared. Names have no prefix here;
// in the log they begin with "nexusd.". Fields are added, never renamed or removed.

import type { z } from "zod";
import { messagingEvents } from "./events/messaging.ts";
import { nexEvents } from "./events/nex.ts";
import { nexusEvents } from "./events/nexus.ts";
import { nodeEvents } from "./events/nodes.ts";
import { operationEvents } from "./events/operation.ts";
import { sinkEvents } from "./events/sinks.ts";
import { writeEvents } from "./events/writes.ts";

export const EVENTS = {
  ...messagingEvents,
  ...nexEvents,
  ...nexusEvents,
  ...writeEvents,
  ...sinkEvents,
  ...nodeEvents,
  ...operationEvents,
};

export type EventName = keyof typeof EVENTS;

/** The data of each type, as in the log. */
export type EventData = { [Name in EventName]: z.output<(typeof EVENTS)[Name]["data"]> };

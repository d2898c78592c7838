// The essential facts of each service's events, for a person. Events of other services show their data.

import type { EventWords } from "../events/words.ts";
import { messagingWords } from "./messaging/event-words.ts";
import { nexWords } from "./nex/event-words.ts";
import { nexusWords } from "./nexus/event-words.ts";

/** By the first part of the event type. */
export const SERVICE_WORDS: Readonly<Record<string, EventWords>> = {
  messaging: messagingWords,
  nex: nexWords,
  nexus: nexusWords,
};

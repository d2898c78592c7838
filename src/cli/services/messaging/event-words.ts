// The essential facts of NexusMessaging's events, for a person.

import { short } from "../../../core/redaction.ts";
import { type EventWords, text, words } from "../../events/words.ts";

export const messagingWords: EventWords = (name, data) => {
  // A session id is a secret: on a screen, its beginning is enough to tell it from another.
  const id = text(data.sessionId);
  const who = text(data.alias) || (id && short(id));
  return name === "messaging.message.received"
    ? `${who} ${text(data.agentId)}: ${text(data.text ?? data.json)}`
    : words(who, data.agentId, data.message ?? data.expiresAt);
};

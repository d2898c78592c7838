// Derives the events from a page of messages.

import { createHash } from "node:crypto";
import type { NewEvent } from "../../../contract/new-event.ts";
import { stringifyJson } from "../../../core/exact-json.ts";
import type { Message, MessagePage } from "../reading/page.ts";
import type { SessionChange } from "./changes.ts";
import { type Session, sessionSource } from "./session.ts";

const dedupeScope = (sessionId: string) => `messaging:${sessionId}`;

/** A message's identity is its id; the cursor is only a position. A repeated page adds nothing. */
export function messageReceived(session: Session, message: Message): NewEvent {
  return {
    type: "messaging.message.received",
    source: sessionSource(session.sessionId),
    subject: message.id,
    data: {
      sessionId: session.sessionId,
      alias: session.alias,
      messageId: message.id,
      cursor: message.cursor,
      agentId: message.agentId ?? "system",
      ...(typeof message.text === "string" ? { text: message.text } : {}),
      ...(message.json === undefined || message.json === null ? {} : { json: message.json }),
      ...(message.jsonOmitted && { jsonOmitted: message.jsonOmitted }),
      verified: message.verified ?? false,
      expiresAt: message.expiresAt ?? null,
    },
    dedupe: {
      scope: dedupeScope(session.sessionId),
      match: [message.id],
      record: [message.id],
    },
  };
}

export const sessionRestarted = (before: Session, after: Session): NewEvent => ({
  type: "messaging.session.restarted",
  source: sessionSource(before.sessionId),
  data: {
    sessionId: before.sessionId,
    alias: before.alias,
    generation: after.generation,
    lastCursor: before.cursor,
  },
});

/** A challenge that comes with every page is one event. nexusd cannot answer it, so an agent has to know. */
export function challenged(session: Session, page: MessagePage): NewEvent[] {
  const challenge = page.ctrl?.challenge;
  if (challenge === undefined || challenge === null) return [];
  const digest = createHash("sha256").update(stringifyJson(challenge)).digest("hex");
  const key = `challenge:${digest}`;
  return [
    {
      type: "messaging.session.challenged",
      source: sessionSource(session.sessionId),
      data: { sessionId: session.sessionId, alias: session.alias, challenge },
      dedupe: { scope: dedupeScope(session.sessionId), match: [key], record: [key] },
    },
  ];
}

/** Who joined and left since the last check, without nexusd itself. The first check only remembers. */
export function observeMembers(session: Session, page: MessagePage): SessionChange {
  if (!page.members) return { session, events: [] };
  const now = [...new Set(page.members.map(({ agentId }) => agentId))].toSorted();
  const before = session.members;
  if (before === null) return { session: { ...session, members: now }, events: [] };
  const told = (type: "messaging.member.joined" | "messaging.member.left", agents: string[]): NewEvent[] =>
    agents
      .filter((agentId) => agentId !== session.agentId)
      .map((agentId) => ({
        type,
        source: sessionSource(session.sessionId),
        subject: agentId,
        data: { sessionId: session.sessionId, alias: session.alias, agentId },
      }));
  const came = now.filter((agentId) => !before.includes(agentId));
  const went = before.filter((agentId) => !now.includes(agentId));
  if (came.length + went.length === 0) return { session, events: [] };
  return {
    session: { ...session, members: now },
    events: [...told("messaging.member.joined", came), ...told("messaging.member.left", went)],
  };
}

// Messages, sessions and members of NexusMessaging.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { failure, time } from "./fields.ts";

const session = {
  sessionId: z.string().describe("as the service gave it; anyone who knows it can take part"),
  alias: z.string().nullable().describe("nexusd's name for the session"),
};
const expiresAt = time.nullable().describe("when the service ends it unless something happens");
const agentId = z.string().describe("an agent in the session, by its self-chosen name");

const inSession = { sessionId: "5a5a…", alias: "workshop" };
const EXPIRY = "2026-11-30T11:01:00.000Z";

export const messagingEvents = {
  "messaging.message.received": declareEvent({
    when: "Another agent or the service wrote a message in a session.",
    subject: "the id of the message",
    data: z.object({
      ...session,
      messageId: z.string(),
      cursor: z.string().describe("its position in the session, a decimal number"),
      agentId: z.string().describe('who wrote it; "system" for the service'),
      text: z.string().optional(),
      json: z.unknown().optional().describe("what the message carries beside its text"),
      jsonOmitted: z
        .enum(["nested too deeply", "too many values", "a number of too many digits"])
        .optional()
        .describe(
          "why its JSON is left out: it is nested more than 500 levels deep, the JSON of its page has more than 200,000 values, or a number has more than 100 digits",
        ),
      verified: z.boolean().describe("whether the service checked the sender's key"),
      expiresAt: expiresAt.describe("when the service deletes the message"),
    }),
    example: {
      ...inSession,
      messageId: "m-17",
      cursor: "17",
      agentId: "shop-assistant",
      text: "Order NX-1006 from Maria Lopez is paid.",
      verified: true,
      expiresAt: EXPIRY,
    },
  }),
  "messaging.session.joined": declareEvent({
    when: "nexusd became a member of a session.",
    subject: null,
    data: z.object({
      ...session,
      agentId: z.string().describe("the name that nexusd has in it"),
      expiresAt,
      rejoined: z.boolean().describe("whether nexusd had been a member before"),
      imported: z.literal(true).optional().describe("imported from another client, which had joined it"),
    }),
    example: { ...inSession, agentId: "nexusd", expiresAt: EXPIRY, rejoined: false },
  }),
  "messaging.session.renewed": declareEvent({
    when: "The life of a session was extended.",
    subject: null,
    data: z.object({ ...session, expiresAt }),
    example: { ...inSession, expiresAt: EXPIRY },
  }),
  "messaging.session.expired": declareEvent({
    when: "A session expired because there was no activity in it for its time to live.",
    subject: null,
    data: z.object({ ...session, ...failure }),
    example: { ...inSession, code: "session_not_found", message: "the session is gone" },
  }),
  "messaging.session.lost": declareEvent({
    when: "nexusd is no longer a member of a session and cannot join it again.",
    subject: null,
    data: z.object({ ...session, ...failure }),
    example: { ...inSession, code: "session_full", message: "the session takes no more agents" },
  }),
  "messaging.session.left": declareEvent({
    when: "nexusd left a session.",
    subject: null,
    data: z.object(session),
    example: inSession,
  }),
  "messaging.session.key_refused": declareEvent({
    when: "The service refuses the key of a session; the session continues, but messages are sent unverified.",
    subject: null,
    data: z.object({ ...session, ...failure }),
    example: { ...inSession, code: "invalid_session_key", message: "the session key is not valid" },
  }),
  "messaging.session.challenged": declareEvent({
    when: "The service requires the answer to a challenge, which only an agent can give.",
    subject: null,
    data: z.object({ ...session, challenge: z.unknown().describe("as the service gave it") }),
    example: { ...inSession, challenge: { question: "…" } },
  }),
  "messaging.session.restarted": declareEvent({
    when: "The service lost the messages of a session, as it does when it restarts; everything that it still has is read again.",
    subject: null,
    data: z.object({
      ...session,
      generation: z.int().nonnegative().describe("how often that has happened"),
      lastCursor: z.string().nullable().describe("the last cursor before it"),
    }),
    example: { ...inSession, generation: 1, lastCursor: "57" },
  }),
  "messaging.member.joined": declareEvent({
    when: "Another agent joined a session whose members are watched.",
    subject: "the agent",
    data: z.object({ ...session, agentId }),
    example: { ...inSession, agentId: "shop-assistant" },
  }),
  "messaging.member.left": declareEvent({
    when: "Another agent is no longer in a session.",
    subject: "the agent",
    data: z.object({ ...session, agentId }),
    example: { ...inSession, agentId: "shop-assistant" },
  }),
};

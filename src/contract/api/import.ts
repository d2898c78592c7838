// Sessions imported from another client: what it knows about each, and the result.

import { z } from "zod";
import { origin } from "../../core/settings.ts";

export const agentId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, "-" or "_"');
export const sessionId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, "must be the session's id, as the service gave it");
export const sessionAlias = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "-" or "_"');

/** What another client knows about a session. No message repeats a value, since the key is one of them. */
export const importedSession = z.strictObject({
  sessionId,
  agentId: agentId.describe("The id under which that client joined, which nexusd continues to use"),
  sessionKey: z
    .string({ error: "must be a session key" })
    .regex(/^[\x21-\x7e]{1,1024}$/, { error: "must be a session key: 1 to 1024 visible ASCII characters" })
    .optional(),
  cursor: z
    .string({ error: "must be a cursor: a string of digits" })
    .regex(/^\d{1,40}$/, { error: "must be a cursor: a string of digits" })
    .optional()
    .describe("The last message already read; left out: the session is read from its start"),
  server: origin.optional().describe("The session's server; left out: messaging.base_url"),
  alias: sessionAlias.optional(),
});
export type ImportedSession = z.output<typeof importedSession>;

const importResult = z.object({
  sessionId: z.string(),
  outcome: z.enum(["imported", "known"]),
  alias: z.string().nullable().describe("The alias in nexusd"),
  note: z.string().nullable().describe("Notes for a person"),
});
export type ImportResult = z.output<typeof importResult>;

const MOST_IMPORTED = 1000;
const count = { error: `must be an array of 1 to ${MOST_IMPORTED} sessions` };
export const importBody = z.strictObject({
  sessions: z.array(importedSession, count).min(1, count).max(MOST_IMPORTED, count),
});
export const importAnswer = z.object({ sessions: z.array(importResult) });

// What the operations of NexusMessaging share: naming sessions, servers and aliases, and joining.

import { z } from "zod";
import { sessionAlias } from "../../../contract/api/import.ts";
import { readAnswer } from "../../../http/answer.ts";
import { fieldsOf, segment } from "../../input.ts";
import { NO_CREDENTIAL, OperationError, type OperationRequest } from "../../operation.ts";
import type { MessagingFacts, SessionFacts } from "../facts.ts";
import type { SessionEffect } from "../membership/changes.ts";
import { afterJoin } from "../membership/membership.ts";
import { beginsWith, SHORTEST_ID, sessionsNamed } from "../membership/names.ts";
import { newSession, type Session } from "../membership/session.ts";
import { isActive } from "../membership/sessions.ts";

export const session = z
  .string()
  .min(1)
  .max(256)
  .describe(`The session: its alias, its id, or the first characters of its id (at least ${SHORTEST_ID})`);
export const ttlSeconds = z
  .int()
  .min(1)
  .max(86_400)
  .optional()
  .describe("How long the session lives after its last message, in seconds; default: the server's");
export const newAlias = sessionAlias.optional().describe("The alias to give the session");
export const server = z
  .string()
  .min(1)
  .max(300)
  .optional()
  .describe(
    "The URL of the server: one from the configuration or of a known session; default: messaging.base_url",
  );

/** The same characters as in the configuration, since aliases appear in paths and logs. */
export const sessionId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{6,128}$/, "must be the whole id, as the service gave it");

export const sessionPath = (id: string, rest = "") => `/v1/sessions/${segment(id)}${rest}`;
export const sessionTarget = (input: { session: string }) => `messaging/sessions/${input.session}`;

/**
 * A session that nexusd is or was in; also by the alias under which it was left, unless another session has it;
 * undefined: there is none.
 * @throws OperationError `ambiguous_session`
 */
export function findKnown(name: string, facts: MessagingFacts): SessionFacts | undefined {
  const isNamed = facts.sessions.some(({ sessionId, alias }) => sessionId === name || alias === name);
  const left = facts.sessions.findLast(({ state, leftAs }) => state === "left" && leftAs === name);
  if (!isNamed && left) return left;
  return sessionsNamed(facts.sessions, name).length > 0 ? facts.session(name) : undefined;
}

export const inFull = <I extends { session: string }>(input: I, facts: MessagingFacts): I => ({
  ...input,
  session: facts.session(input.session).sessionId,
});

/** A request without a session key. */
export const openRequest = (
  method: OperationRequest["method"],
  origin: string,
  path: string,
  label: string,
): OperationRequest => ({ method, origin, path, label: `${method} ${label}`, credential: NO_CREDENTIAL });

/** A request as a member of the session. */
export const asMember = (
  facts: MessagingFacts,
  idOrAlias: string,
  method: "GET" | "POST",
  rest: string,
): { sessionId: string; request: OperationRequest } => {
  const { sessionId, baseUrl, agentId } = facts.session(idOrAlias);
  const [resource = ""] = rest.split("?", 1);
  return {
    sessionId,
    request: {
      ...openRequest(method, baseUrl, sessionPath(sessionId, rest), `/v1/sessions/:id${resource}`),
      headers: { "x-agent-id": agentId },
    },
  };
};

/** Asks the server what a session is. */
export const describeRequest = (facts: MessagingFacts, idOrAlias: string): OperationRequest => {
  const { sessionId, baseUrl } = facts.session(idOrAlias);
  return openRequest("GET", baseUrl, sessionPath(sessionId), "/v1/sessions/:id");
};

/** The names in a session's description; undefined if it has none. */
export const agentsOf = (body: unknown): unknown[] | undefined => {
  const { agents } = fieldsOf(body);
  return Array.isArray(agents)
    ? agents.map((agent: unknown) => (typeof agent === "string" ? agent : fieldsOf(agent).agentId))
    : undefined;
};

/** The server's description of a session, without the one field that is a credential. */
export const withoutKey = (body: unknown): Record<string, unknown> => {
  const { sessionKey: _, ...rest } = fieldsOf(body);
  return rest;
};

/**
 * An alias takes precedence over a shortened id: if another session's id begins with it, it would take that session's
 * messages.
 * @throws OperationError `refused`
 */
export function assertNamesNoOther(name: string | undefined, facts: MessagingFacts, besides?: string): void {
  if (name === undefined) return;
  if (facts.sessions.some(({ sessionId }) => sessionId !== besides && beginsWith(sessionId, name)))
    throw new OperationError("refused", "Another session's id begins with this: choose another alias.");
}

/** @throws OperationError `refused` if an active session has this alias already, or an id that begins with it */
export function assertAliasIsFree(name: string | undefined, facts: MessagingFacts, besides?: string): void {
  assertNamesNoOther(name, facts, besides);
  const holder = facts.sessions.find(
    (known) => known.alias === name && known.sessionId !== besides && isActive(known),
  );
  if (name !== undefined && holder)
    throw new OperationError(
      "refused",
      `Another session has the alias ${name}: choose another one, or rename that one first (messaging.aliases.upsert).`,
    );
}

/** @throws OperationError `refused` for a session that nexusd is in, or is joining */
export function assertNotEntered(known: SessionFacts | undefined): void {
  if (known && isActive(known))
    throw new OperationError(
      "refused",
      known.state === "joined"
        ? `nexusd is in this session already${known.alias === null ? "" : `, under the alias ${known.alias}`}.`
        : "nexusd is already trying to join this session.",
    );
}

/** How a session was joined. */
export interface Entry {
  sessionId: string;
  baseUrl: string;
  agentId: string;
  alias: string | undefined;
}

/** The record to change: what is known of the session, on the server and under the name of the entry. */
export const entered = (entry: Entry, current: Session | undefined): Session => {
  const { sessionId, baseUrl, agentId } = entry;
  const before = current ?? newSession({ sessionId, alias: null, baseUrl, agentId });
  // The same id on another server is another session.
  const known =
    before.baseUrl === baseUrl ? before : newSession({ sessionId, alias: null, baseUrl, agentId });
  return { ...known, agentId, alias: entry.alias ?? known.alias, expiresAt: null, ttlMs: null };
};

/** nexusd is in the session: it is polled from now on. The job asks for its description at its next turn. */
export const joinedEffect = (
  entry: Entry,
  answer: { sessionKey?: unknown; expiresAt?: unknown },
): SessionEffect => {
  const sessionKey = typeof answer.sessionKey === "string" ? answer.sessionKey : undefined;
  const expiresAt = typeof answer.expiresAt === "string" ? answer.expiresAt : undefined;
  return {
    sessionId: entry.sessionId,
    change: (current, now) => afterJoin(entered(entry, current), now, { sessionKey, expiresAt }),
    // The key of an earlier membership is no longer valid.
    sessionKey: sessionKey ?? null,
  };
};

/**
 * A server must not be able to take over another server's session by answering with its id.
 * @throws OperationError `refused`
 */
export function assertOwn(id: string, origin: string, facts: MessagingFacts): void {
  const known = facts.sessions.find((one) => one.sessionId === id);
  if (known && known.baseUrl !== origin)
    throw new OperationError(
      "refused",
      "The server answered with the id of a session that is on another server.",
    );
}

/** Reads the body of an operation's answer. @throws HttpError `invalid_body` */
export const readBody =
  <T>(label: string, schema: z.ZodType<T>) =>
  ({ status, body }: { status: number; body: unknown }): T =>
    readAnswer({ status, json: () => body }, schema, { service: "messaging", label });

// What NexusMessaging can be asked to do.

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { readAnswer } from "../../http/answer.ts";
import { fieldsOf, present, prose, segment, textsIn } from "../input.ts";
import {
  defineOperation,
  type Facts,
  type Finding,
  OperationError,
  type OperationRequest,
} from "../operation.ts";
import { type MessagePage, messagePage } from "./client.ts";

const session = z
  .string()
  .min(1)
  .max(256)
  .describe("The session: its alias, its id, or the first characters of its id (at least 6)");
const ttlSeconds = z
  .int()
  .min(1)
  .max(86_400)
  .optional()
  .describe("How long the session lives after its last message, in seconds; left out: as the server has it");

const sessionPath = (sessionId: string, rest = "") => `/v1/sessions/${segment(sessionId)}${rest}`;
const sessionTarget = (input: { session: string }) => `messaging/sessions/${input.session}`;

const inFull = <I extends { session: string }>(input: I, facts: Facts): I => ({
  ...input,
  session: facts.session(input.session).sessionId,
});

/** A request as the member of a session that nexusd is. */
const asMember = (
  facts: Facts,
  idOrAlias: string,
  method: "GET" | "POST",
  rest: string,
): { sessionId: string; request: OperationRequest } => {
  const { sessionId, baseUrl, agentId } = facts.session(idOrAlias);
  const [resource = ""] = rest.split("?", 1);
  return {
    sessionId,
    request: {
      method,
      origin: baseUrl,
      path: sessionPath(sessionId, rest),
      label: `${method} /v1/sessions/:id${resource}`,
      headers: { "x-agent-id": agentId },
      credential: { kind: "none" },
    },
  };
};

/** What the server says of a session, without the one field that is a credential. */
const withoutKey = (body: unknown): Record<string, unknown> => {
  const { sessionKey: _, ...rest } = fieldsOf(body);
  return rest;
};

const getSession = defineOperation({
  name: "messaging.sessions.get",
  service: "messaging",
  effect: "read",
  idempotent: true,
  title: "Show a session",
  description: "The state of a session on its server, with the agents that are in it.",
  input: z.lazy(() => z.strictObject({ session })),
  normalize: inFull,
  request: (input, facts) => {
    const { sessionId, baseUrl } = facts.session(input.session);
    return {
      method: "GET",
      origin: baseUrl,
      path: sessionPath(sessionId),
      label: "GET /v1/sessions/:id",
      credential: { kind: "none" },
    };
  },
  output: ({ body }) => withoutKey(body),
});

const createSession = defineOperation({
  name: "messaging.sessions.create",
  service: "messaging",
  effect: "write",
  idempotent: false,
  title: "Create a session",
  description:
    "A new session on the server of the configuration. nexusd is not yet a member of it: join it next.",
  input: z.lazy(() =>
    z.strictObject({
      ttlSeconds,
      maxAgents: z.int().min(1).max(50).optional().describe("How many agents can be in it"),
      greeting: prose.optional().describe("The first message, shown to everybody who joins"),
    }),
  ),
  request: ({ ttlSeconds, maxAgents, greeting }, facts) => ({
    method: "PUT",
    origin: facts.origins.messaging,
    path: "/v1/sessions",
    label: "PUT /v1/sessions",
    json: present({ ttl: ttlSeconds, maxAgents, greeting }),
    credential: { kind: "none" },
  }),
  outgoingText: ({ greeting }) => (greeting === undefined ? [] : [{ path: ["greeting"], text: greeting }]),
  output: ({ body }) => withoutKey(body),
  howToFindOut:
    "A session whose id did not arrive cannot be looked up. It ends by itself; propose another one in its place.",
});

const renewSession = defineOperation({
  name: "messaging.sessions.renew",
  service: "messaging",
  effect: "write",
  idempotent: true,
  title: "Renew a session",
  description:
    "Lets a session live on. nexusd does it by itself for its own sessions, unless auto_renew is off.",
  input: z.lazy(() => z.strictObject({ session, ttlSeconds })),
  normalize: inFull,
  request: (input, facts) => ({
    ...asMember(facts, input.session, "POST", "/renew").request,
    json: present({ ttl: input.ttlSeconds }),
  }),
  output: ({ body }) => withoutKey(body),
  target: sessionTarget,
});

const listMessages = defineOperation({
  name: "messaging.messages.list",
  service: "messaging",
  effect: "read",
  idempotent: true,
  title: "List messages",
  description:
    "The messages of a session that its server still has, own ones included. What came in before is in the log " +
    "of nexusd, also after the server has forgotten it.",
  input: z.lazy(() =>
    z.strictObject({
      session,
      after: z
        .string()
        .regex(/^\d{1,30}$/, "must be a cursor")
        .optional()
        .describe("The cursor of the last message not wanted; left out: from the greeting on"),
      members: z.boolean().optional().describe("Whether to list the agents of the session too"),
    }),
  ),
  normalize: inFull,
  request: ({ session: idOrAlias, after, members }, facts) => {
    const query = new URLSearchParams(present({ after, members: members ? "true" : undefined }));
    return asMember(facts, idOrAlias, "GET", `/messages${query.size > 0 ? `?${query}` : ""}`).request;
  },
  output: (answer) => readPage(answer),
});

const readPage = (answer: { status: number; body: unknown }): MessagePage =>
  readAnswer({ status: answer.status, json: () => answer.body }, messagePage, {
    service: "messaging",
    label: "GET /v1/sessions/:id/messages",
  });

const sendMessage = defineOperation({
  name: "messaging.messages.send",
  service: "messaging",
  effect: "write",
  idempotent: false,
  title: "Send a message",
  description:
    "Writes a message to a session that nexusd is a member of, under its own agent id: text, json or both.",
  input: z.lazy(() =>
    z
      .strictObject({
        session,
        text: prose.optional().describe("The message, for people and agents to read"),
        json: z.unknown().optional().describe("Any JSON value, for programs; not every server takes it"),
      })
      .refine(({ text, json }) => text !== undefined || json !== undefined, {
        path: ["text"],
        message: "is needed, or json",
      }),
  ),
  normalize: (input, facts) => {
    const { state } = facts.session(input.session);
    if (state === "joined") return inFull(input, facts);
    throw new OperationError(
      "refused",
      `nexusd is not in this session (its state is ${state}): join it first.`,
    );
  },
  request: ({ session: idOrAlias, text, json }, facts) => {
    const { sessionId, request } = asMember(facts, idOrAlias, "POST", "/messages");
    return { ...request, json: present({ text, json }), credential: { kind: "session", sessionId } };
  },
  outgoingText: ({ text, json }) => [
    ...(text === undefined ? [] : [{ path: ["text"], text }]),
    ...textsIn(json, ["json"]),
  ],
  output: ({ body }) => {
    const { id, cursor, expiresAt } = fieldsOf(body);
    return { messageId: id ?? null, cursor: cursor ?? null, expiresAt: expiresAt ?? null };
  },
  target: sessionTarget,
  precondition: async (input, facts, read) => {
    const { state, baseUrl } = facts.session(input.session);
    if (input.json !== undefined && !(await takesJson(baseUrl, read)))
      throw new OperationError("refused", "The server of the session takes text only: send it as text.");
    return { state };
  },
  readBack: async ({ session: idOrAlias, text, json }, facts, read) => {
    const { cursor, agentId } = facts.session(idOrAlias);
    const page = readPage(await read(asMember(facts, idOrAlias, "GET", "/messages").request));
    return findOwn(page, { agentId, text, json }, cursor);
  },
  howToFindOut: "Read messaging.messages.list of the session: is the message there, under the own agent id?",
});

const takesJson = async (
  origin: string,
  read: (request: OperationRequest) => Promise<{ body: unknown }>,
): Promise<boolean> => {
  const { body } = await read({
    method: "GET",
    origin,
    path: "/health",
    label: "GET /health",
    credential: { kind: "none" },
  });
  const { messageFormat } = fieldsOf(fieldsOf(body).capabilities);
  return Array.isArray(messageFormat) && messageFormat.includes("json");
};

/**
 * Looks for a message in a page that was read from the start.
 * @param cursor the last one read before the message was sent; null: none was; undefined: not known
 */
export function findOwn(
  page: MessagePage,
  sent: { agentId: string; text: string | undefined; json?: unknown },
  cursor: string | null | undefined,
): Finding {
  const own = page.messages.filter(({ agentId }) => agentId === sent.agentId);
  const isSame = (message: (typeof own)[number]) =>
    (message.text ?? undefined) === sent.text && isDeepStrictEqual(message.json ?? undefined, sent.json);
  const same = own.filter(isSame);

  const last = [page.nextCursor, ...page.messages.map((message) => message.cursor)].reduce(
    (max, value) => (value && BigInt(value) > max ? BigInt(value) : max),
    0n,
  );
  // A server that was restarted has forgotten its messages, and counts from the start again.
  const forgot = cursor && last < BigInt(cursor);
  if (cursor === undefined || forgot)
    return same.length > 0 || forgot ? { kind: "cannot_tell" } : { kind: "not_found" };

  const isAfter = (message: { cursor: string }) => cursor === null || BigInt(message.cursor) > BigInt(cursor);
  const found = same.find(isAfter);
  if (found) {
    const { id, cursor: at, expiresAt } = found;
    return { kind: "done", output: { messageId: id, cursor: at, expiresAt: expiresAt ?? null } };
  }
  // The cursor may have moved past it, and the server puts [REDACTED:…] in the place of what looks like a secret.
  const isRedacted = own.some((message) => isAfter(message) && message.text?.includes("[REDACTED:"));
  return { kind: same.length > 0 || isRedacted ? "cannot_tell" : "not_found" };
}

export const messagingOperations = [
  getSession,
  createSession,
  renewSession,
  listMessages,
  sendMessage,
] as const;

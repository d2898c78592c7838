// Operations on messages: reading a session, and sending to it.

import { z } from "zod";
import { HttpError } from "../../../http/errors.ts";
import { fieldsOf, present, prose } from "../../input.ts";
import { OperationError, type ReadCall, type RefusalMeaning } from "../../operation.ts";
import { isCooldown } from "../client.ts";
import { defineOperation, type SessionFacts, sessionCredential } from "../facts.ts";
import type { SessionEffect } from "../membership/changes.ts";
import { afterKeyRefused } from "../membership/membership.ts";
import { afterTraffic } from "../membership/session.ts";
import { messagePage } from "../reading/page.ts";
import { asMember, inFull, openRequest, readBody, session, sessionTarget } from "./common.ts";
import { findOwn, inText, lastBefore, marked, sentAs } from "./read-back.ts";

/** How long a server's statement about its message formats is trusted. */
const FORMATS_FOR_MS = 300_000;

const listMessages = defineOperation({
  name: "messaging.messages.list",
  service: "messaging",
  effect: "read",
  idempotent: true,
  title: "List messages",
  description:
    "The messages of a session that its server still has, own ones included. Received messages " +
    "stay in the log of nexusd, even after the server has removed them.",
  input: z.lazy(() =>
    z.strictObject({
      session,
      after: z
        .string()
        .regex(/^\d{1,30}$/, "must be a cursor")
        .optional()
        .describe("The cursor of the last message to skip; default: begin with the greeting"),
      members: z.boolean().optional().describe("Also list the agents of the session"),
    }),
  ),
  normalize: inFull,
  request: ({ session: idOrAlias, after, members }, facts) => {
    const query = new URLSearchParams(present({ after, members: members ? "true" : undefined }));
    return asMember(facts, idOrAlias, "GET", `/messages${query.size > 0 ? `?${query}` : ""}`).request;
  },
  output: (answer) => readPage(answer),
});

const readPage = readBody("GET /v1/sessions/:id/messages", messagePage);

/** What the precondition of a message reads. */
interface Sendable {
  state: string;
  /** How its JSON is sent, if it has any: as JSON, or as part of the text. */
  jsonAs?: "json" | "text";
}

const isAsText = (read: unknown) => fieldsOf(read).jsonAs === "text";

const JOINING = "nexusd is trying to join it, and status shows what prevents it";
const REMEDIES: Partial<Record<SessionFacts["state"], string>> = {
  new: JOINING,
  joining: JOINING,
  expired: "it has ended, so create or claim another one",
};

const sendMessage = defineOperation({
  name: "messaging.messages.send",
  service: "messaging",
  effect: "write",
  idempotent: false,
  title: "Send a message",
  description:
    "Sends a message to a session that nexusd is a member of, under its own agent id: text, json " +
    "or both. If the server accepts only text, the JSON is put into the text, unless strict is " +
    "set.",
  input: z.lazy(() =>
    z
      .strictObject({
        session,
        text: prose.optional().describe("The message, for people and agents"),
        json: z.unknown().optional().describe("Any JSON value, for programs"),
        strict: z.boolean().optional().describe("Refuse to send json as text"),
      })
      .refine(({ text, json }) => text !== undefined || json !== undefined, {
        path: ["text"],
        message: "or json is required",
      }),
  ),
  normalize: (input, facts) => {
    const { state } = facts.session(input.session);
    if (state === "joined") return inFull(input, facts);
    throw new OperationError(
      "refused",
      `nexusd is not in this session (its state is ${state}): ${REMEDIES[state] ?? "join it first"}.`,
    );
  },
  request: ({ session: idOrAlias, text, json }, facts, read) => {
    const { sessionId, request } = asMember(facts, idOrAlias, "POST", "/messages");
    const content = isAsText(read) ? { text: inText(text, json) } : present({ text, json });
    return { ...request, json: content, credential: sessionCredential(sessionId) };
  },
  output: ({ body }, _input, read) => {
    const { id, cursor, expiresAt } = fieldsOf(body);
    return {
      ...{ messageId: id ?? null, cursor: cursor ?? null, expiresAt: expiresAt ?? null },
      ...(isAsText(read) && { warning: "The server accepts only text: the JSON was sent in the text." }),
    };
  },
  // A sent message restarts the session's lifetime.
  effects: ({ body }, { session }) => [
    {
      sessionId: session,
      change: (current, now) =>
        current && { session: { ...afterTraffic(current, now), ...sentAs(body) }, events: [] },
    },
  ],
  effectsInDoubt: ({ session }) => [marked(session, { isSendInDoubt: true })],
  refused: async (
    error,
    { session: sessionId },
    facts,
    _read,
    now,
  ): Promise<RefusalMeaning<SessionEffect> | undefined> => {
    if (error.status === 412 && error.code.toLowerCase() === "challenge_required")
      return failed(
        "challenge_required",
        "The server requires the answer to a challenge before it accepts messages from this agent, " +
          "which nexusd cannot give. The event messaging.session.challenged has the challenge, if the " +
          "server sent one.",
      );
    if (isCooldown(error)) {
      const wait =
        error.headers["retry-after"] === undefined
          ? "later"
          : `in ${Math.ceil((error.retryAfterMs ?? 0) / 1000)} s`;
      return failed(
        "cooldown_active",
        `The server is rate-limiting this agent in this session: send it again ${wait}.`,
      );
    }
    if (error.code !== "invalid_session_key") return undefined;
    const { joinedAt } = facts.session(sessionId);
    if ((await now()).session(sessionId).joinedAt !== joinedAt)
      return failed(
        error.code,
        "It was sent with the key of an earlier membership, and nexusd has joined the session again since. Send it again.",
      );
    const message =
      "The server refuses the key of this session. nexusd has dropped the key: later messages are sent unverified.";
    return {
      ...failed(error.code, message),
      effects: [
        {
          sessionId,
          // A key that arrived meanwhile is not the one that was refused.
          change: (current) =>
            current && current.joinedAt === joinedAt
              ? (afterKeyRefused(current, message) ?? { session: current, events: [] })
              : undefined,
          sessionKey: null,
        },
      ],
    };
  },
  target: sessionTarget,
  subject: (name) => `message to session ${name}`,
  precondition: async (input, facts, read): Promise<Sendable> => {
    const { state, baseUrl } = facts.session(input.session);
    if (input.json === undefined) return { state };
    if (await takesJson(baseUrl, read)) return { state, jsonAs: "json" };
    if (input.strict)
      throw new OperationError(
        "refused",
        "The server of the session accepts only text, and strict is set: send it as text.",
      );
    return { state, jsonAs: "text" };
  },
  readBack: async ({ session: idOrAlias, text, json }, facts, read) => {
    const known = facts.session(idOrAlias);
    const page = readPage(await read(asMember(facts, idOrAlias, "GET", "/messages").request));
    const finding = findOwn(page, { agentId: known.agentId, text, json }, lastBefore(known));
    if (finding.kind !== "done") return finding;
    return { ...finding, effects: [marked(known.sessionId, sentAs(finding.output))] };
  },
  howToFindOut: "Read messaging.messages.list of the session: is the message there, under this agent's id?",
});

const failed = (code: string, message: string) =>
  ({ kind: "failed", error: { code, message } }) satisfies RefusalMeaning<SessionEffect>;

/** It answered, and would not say more if asked again. */
const isRefusal = (error: unknown): boolean =>
  error instanceof HttpError && error.kind === "status" && !error.retryable;

/** A server that does not declare its formats accepts only text. */
async function takesJson(origin: string, read: ReadCall): Promise<boolean> {
  try {
    const { body } = await read({
      ...openRequest("GET", origin, "/health", "/health"),
      maxAgeMs: FORMATS_FOR_MS,
    });
    const { messageFormat } = fieldsOf(fieldsOf(body).capabilities);
    return Array.isArray(messageFormat) && messageFormat.includes("json");
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

export const messageOperations = [listMessages, sendMessage] as const;

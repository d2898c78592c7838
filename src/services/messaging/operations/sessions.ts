// Operations on sessions: create, show, join, renew, and list their members.

import { z } from "zod";
import { isoTime } from "../../../core/clock.ts";
import { fieldsOf, present, prose } from "../../input.ts";
import { OperationError, type RefusalMeaning } from "../../operation.ts";
import { defineOperation, type MessagingFacts } from "../facts.ts";
import type { SessionEffect } from "../membership/changes.ts";
import { afterJoin, afterRenewal, endingOf, lifeMs } from "../membership/membership.ts";
import { messagePage } from "../reading/page.ts";
import {
  agentsOf,
  asMember,
  assertAliasIsFree,
  assertNotEntered,
  assertOwn,
  describeRequest,
  entered,
  findKnown,
  inFull,
  joinedEffect,
  newAlias,
  openRequest,
  readBody,
  server,
  session,
  sessionId,
  sessionPath,
  sessionTarget,
  ttlSeconds,
  withoutKey,
} from "./common.ts";

const getSession = defineOperation({
  name: "messaging.sessions.get",
  service: "messaging",
  effect: "read",
  idempotent: true,
  title: "Show a session",
  description: "The state of a session on its server, and its agents.",
  input: z.lazy(() => z.strictObject({ session })),
  normalize: inFull,
  request: (input, facts) => describeRequest(facts, input.session),
  output: ({ body }) => withoutKey(body),
});

const created = z.looseObject({ sessionId, ttl: z.number().nullish(), creatorAgentId: z.string().nullish() });
const readCreated = readBody("PUT /v1/sessions", created);

const createSession = defineOperation({
  name: "messaging.sessions.create",
  service: "messaging",
  effect: "write",
  idempotent: false,
  title: "Create a session",
  description:
    "Creates a session, joins it at once and polls it from then on. The creator is never removed " +
    "and can never leave; with asCreator false nexusd joins like any other agent.",
  input: z.lazy(() =>
    z.strictObject({
      ttlSeconds,
      maxAgents: z.int().min(1).max(50).optional().describe("How many agents the session can have"),
      greeting: prose.optional().describe("The first message, shown to everybody who joins"),
      asCreator: z.boolean().optional().describe("Whether to join as its creator; default: true"),
      alias: newAlias,
      server,
    }),
  ),
  normalize: (input, facts) => ({
    ...input,
    asCreator: input.asCreator ?? true,
    server: facts.server(input.server),
  }),
  request: ({ ttlSeconds, maxAgents, greeting, asCreator, alias, server }, facts) => {
    assertAliasIsFree(alias, facts);
    const creatorAgentId = asCreator === false ? undefined : facts.agentId;
    return {
      ...openRequest("PUT", facts.server(server), "/v1/sessions", "/v1/sessions"),
      json: present({ ttl: ttlSeconds, maxAgents, greeting, creatorAgentId }),
    };
  },
  output: (answer, { alias }) => {
    readCreated(answer);
    return { ...withoutKey(answer.body), ...present({ alias }) };
  },
  effects: (answer, { alias, server }, facts) => {
    const { sessionId, ttl, creatorAgentId } = readCreated(answer);
    const { sessionKey } = fieldsOf(answer.body);
    const baseUrl = facts.server(server);
    const { agentId } = facts;
    assertOwn(sessionId, baseUrl, facts);
    // A server that does not know the field has created the session without a member: then the job joins it.
    const isCreator = creatorAgentId === agentId || typeof sessionKey === "string";
    const ttlMs = lifeMs(ttl);
    return [
      {
        sessionId,
        change: (_current, now) => {
          const made = {
            ...entered({ sessionId, baseUrl, agentId, alias }, undefined),
            isCreator,
            members: [agentId],
            ttlMs,
            expiresAt: ttlMs === null ? null : isoTime(now + ttlMs),
          };
          if (!isCreator) return { session: { ...made, members: [] }, events: [] };
          return afterJoin(made, now, { sessionKey: typeof sessionKey === "string" ? sessionKey : null });
        },
        ...(typeof sessionKey === "string" && { sessionKey }),
      },
    ];
  },
  howToFindOut:
    "A session whose id did not arrive cannot be looked up. It expires; propose another one instead.",
});

const joinSession = defineOperation({
  name: "messaging.sessions.join",
  service: "messaging",
  effect: "write",
  // A second attempt finds the agent already in the session.
  idempotent: true,
  title: "Join a session",
  description: "Joins a session whose id is known. nexusd polls it from then on.",
  input: z.lazy(() =>
    z.strictObject({
      session: z
        .string()
        .min(1)
        .max(256)
        .describe(
          "The whole id; if nexusd was in the session before, also its alias or the first characters of its id",
        ),
      alias: newAlias,
      server,
    }),
  ),
  normalize: (input, facts) => {
    const known = findKnown(input.session, facts);
    assertNotEntered(known);
    if (known && input.server !== undefined && facts.server(input.server) !== known.baseUrl)
      throw new OperationError("refused", `The session belongs to ${known.baseUrl}.`);
    const id = known?.sessionId ?? input.session;
    if (!sessionId.safeParse(id).success)
      throw new OperationError("session_not_found", "No session has this alias, and it is not a session id.");
    // If it is named by the alias under which it was left, it gets that alias back.
    const alias = input.alias ?? (known?.leftAs === input.session ? input.session : undefined);
    return {
      ...{ ...input, session: id, server: known?.baseUrl ?? facts.server(input.server) },
      ...present({ alias }),
    };
  },
  request: ({ session, alias, server }, facts) => {
    assertNotEntered(facts.sessions.find((known) => known.sessionId === session));
    assertAliasIsFree(alias, facts, session);
    return {
      ...openRequest("POST", facts.server(server), sessionPath(session, "/join"), "/v1/sessions/:id/join"),
      headers: { "x-agent-id": facts.agentId },
    };
  },
  output: ({ body }, { session, alias }) => ({
    ...withoutKey(body),
    sessionId: session,
    ...present({ alias }),
  }),
  effects: ({ body }, input, facts) => [joinedEffect(entryOf(input, facts), fieldsOf(body))],
  refused: async (error): Promise<RefusalMeaning<SessionEffect> | undefined> => {
    const ending = endingOf(error);
    return ending && { kind: "failed", error: { code: ending.code, message: ending.message } };
  },
  // The job continues: if the agent is already in the session, the request has arrived.
  effectsInDoubt: (input, facts) => {
    const entry = entryOf(input, facts);
    return [
      {
        sessionId: entry.sessionId,
        change: (current) =>
          current?.state === "joined"
            ? undefined
            : { session: { ...entered(entry, current), state: "joining", reason: null }, events: [] },
      },
    ];
  },
  target: sessionTarget,
  readBack: async (input, facts, read) => {
    const entry = entryOf(input, facts);
    const known = facts.sessions.find((one) => one.sessionId === entry.sessionId);
    const output = { sessionId: entry.sessionId, status: "joined" };
    if (known?.state === "joined") return { kind: "done", output };
    const path = sessionPath(entry.sessionId);
    const { body } = await read(openRequest("GET", entry.baseUrl, path, "/v1/sessions/:id"));
    if (!agentsOf(body)?.includes(entry.agentId)) return { kind: "not_found" };
    return { kind: "done", output, effects: [joinedEffect(entry, {})] };
  },
  howToFindOut: "nexusd keeps trying to join the session: nexusctl messaging ls shows the result.",
});

const entryOf = (
  { session, alias, server }: { session: string; alias?: string | undefined; server?: string | undefined },
  facts: MessagingFacts,
) => ({
  sessionId: session,
  baseUrl: facts.server(server),
  agentId: facts.agentId,
  alias,
});

const renewSession = defineOperation({
  name: "messaging.sessions.renew",
  service: "messaging",
  effect: "write",
  idempotent: true,
  title: "Renew a session",
  description:
    "Extends the life of a session. nexusd renews its own sessions automatically, unless auto_renew is off.",
  input: z.lazy(() => z.strictObject({ session, ttlSeconds })),
  normalize: inFull,
  request: (input, facts) => ({
    ...asMember(facts, input.session, "POST", "/renew").request,
    json: present({ ttl: input.ttlSeconds }),
  }),
  output: ({ body }) => withoutKey(body),
  effects: ({ body }, { session }) => {
    const { ttl, expiresAt } = fieldsOf(body);
    const answer = {
      ttl: typeof ttl === "number" ? ttl : null,
      expiresAt: typeof expiresAt === "string" ? expiresAt : null,
    };
    return [
      {
        sessionId: session,
        change: (current, now) =>
          current?.state === "joined" ? afterRenewal(current, now, answer) : undefined,
      },
    ];
  },
  target: sessionTarget,
});

const listMembers = defineOperation({
  name: "messaging.members.list",
  service: "messaging",
  effect: "read",
  idempotent: true,
  title: "List the members of a session",
  description: "The agents of a session, and when each was last seen.",
  input: z.lazy(() => z.strictObject({ session })),
  normalize: inFull,
  request: ({ session: idOrAlias }, facts) => {
    const { cursor } = facts.session(idOrAlias);
    // What was already read need not be read again.
    const query = new URLSearchParams(present({ after: cursor ?? undefined, members: "true" }));
    return asMember(facts, idOrAlias, "GET", `/messages?${query}`).request;
  },
  output: ({ status, body }, { session }) => {
    const page = readBody(
      "GET /v1/sessions/:id/messages",
      messagePage.required({ members: true }),
    )({ status, body });
    return { sessionId: session, members: page.members ?? [] };
  },
});

export const sessionOperations = [getSession, createSession, joinSession, renewSession, listMembers] as const;

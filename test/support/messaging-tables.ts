// The two tables of NexusMessaging's protocol as rows: every request with its whole answer, every error code with each
// request that causes it. Both the stand-in and our client are checked against them.

import { expect } from "vitest";
import type { MessagingServer } from "../../sandbox/messaging.ts";

export interface Call {
  method: string;
  path: string;
  agent?: string;
  key?: string;
  body?: unknown;
}

export async function send(server: MessagingServer, { method, path, agent, key, body }: Call) {
  const response = await fetch(server.url + path, {
    method,
    redirect: "manual",
    headers: {
      ...(agent !== undefined && { "x-agent-id": agent }),
      ...(key !== undefined && { "x-session-key": key }),
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** A session with the member `me`, its key, a pairing code, and free places. */
export async function openScene(server: MessagingServer) {
  const session = server.createSession({ greeting: "Welcome", maxAgents: 3, creatorAgentId: "boss" });
  const at = `/v1/sessions/${session}`;
  const { body } = await send(server, { method: "POST", path: `${at}/join`, agent: "me" });
  const pair = await send(server, { method: "PUT", path: "/v1/pair", body: { sessionId: session } });
  return { server, session, at, key: String(body.sessionKey), code: String(pair.body.code) };
}
export type Scene = Awaited<ReturnType<typeof openScene>>;

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const text = expect.any(String);
const number = expect.any(Number);
const time = expect.stringMatching(TIME);
const key = expect.stringMatching(/./);
const cursor = expect.stringMatching(/^\d+$/);

const message = {
  ...{ id: text, agentId: "system", text: "Welcome", cursor: "0" },
  ...{ verified: expect.any(Boolean), expiresAt: time },
};

/** Every row of the table of requests: what is sent, the status, and the whole answer. */
export const REQUESTS: [row: string, call: (scene: Scene) => Call, status: number, answer: object][] = [
  [
    "PUT /v1/sessions",
    () => ({ method: "PUT", path: "/v1/sessions", body: { ttl: 60, maxAgents: 2, greeting: "Hi" } }),
    201,
    { sessionId: expect.stringMatching(/^[0-9a-f]{48}$/), ttl: 60, maxAgents: 2, state: text },
  ],
  [
    "PUT /v1/sessions {} (ttl 3660, maxAgents 50)",
    () => ({ method: "PUT", path: "/v1/sessions", body: {} }),
    201,
    { sessionId: text, ttl: 3660, maxAgents: 50, state: text },
  ],
  [
    "PUT /v1/sessions {creatorAgentId} (joined at once)",
    () => ({ method: "PUT", path: "/v1/sessions", body: { creatorAgentId: "boss" } }),
    201,
    { sessionId: text, ttl: 3660, maxAgents: 50, state: text, creatorAgentId: "boss", sessionKey: key },
  ],
  [
    "GET /v1/sessions/:id (without authentication)",
    ({ at }) => ({ method: "GET", path: at }),
    200,
    { sessionId: text, state: text, agents: ["boss", "me"], ttl: 3660, maxAgents: 3, creatorAgentId: "boss" },
  ],
  [
    "POST /v1/sessions/:id/join",
    ({ at }) => ({ method: "POST", path: `${at}/join`, agent: "another" }),
    200,
    { status: "joined", agentsOnline: 3, sessionKey: key, expiresAt: time },
  ],
  [
    "DELETE /v1/sessions/:id/agents/:agentId",
    ({ at, key }) => ({ method: "DELETE", path: `${at}/agents/me`, agent: "me", key }),
    200,
    { ok: true, sessionId: text, agentId: "me", message: text },
  ],
  [
    "POST /v1/sessions/:id/renew",
    ({ at }) => ({ method: "POST", path: `${at}/renew`, agent: "me", body: { ttl: 120 } }),
    200,
    { sessionId: text, state: text, ttl: 120, expiresAt: time, agents: ["boss", "me"] },
  ],
  [
    "POST /v1/sessions/:id/messages",
    ({ at, key }) => ({
      method: "POST",
      path: `${at}/messages`,
      agent: "me",
      key,
      body: { text: "a", json: 1 },
    }),
    201,
    { id: text, cursor, expiresAt: time },
  ],
  [
    "GET /v1/sessions/:id/messages",
    ({ at }) => ({ method: "GET", path: `${at}/messages`, agent: "me" }),
    200,
    { messages: [message], nextCursor: cursor },
  ],
  [
    "GET /v1/sessions/:id/messages?after=&members=true",
    ({ at }) => ({ method: "GET", path: `${at}/messages?after=0&members=true`, agent: "me" }),
    200,
    {
      ...{ messages: [], nextCursor: cursor },
      members: [
        { agentId: "boss", lastSeenAt: time },
        { agentId: "me", lastSeenAt: time },
      ],
    },
  ],
  [
    "PUT /v1/pair",
    ({ session }) => ({ method: "PUT", path: "/v1/pair", body: { sessionId: session } }),
    201,
    { code: expect.stringMatching(/^[A-Z]+-[A-Z]+-[A-Z0-9]{5}$/), url: text, expiresAt: time },
  ],
  [
    "POST /v1/pair/:code/claim",
    ({ code }) => ({ method: "POST", path: `/v1/pair/${code}/claim`, agent: "another" }),
    200,
    { sessionId: text, status: "claimed", sessionKey: key },
  ],
  [
    "GET /v1/pair/:code/status",
    ({ code }) => ({ method: "GET", path: `/v1/pair/${code}/status` }),
    200,
    { state: "pending" },
  ],
  [
    "GET /health",
    () => ({ method: "GET", path: "/health" }),
    200,
    { status: text, version: text, uptime: number, capabilities: { messageFormat: ["text", "json"] } },
  ],
  [
    "GET /v1/stats",
    () => ({ method: "GET", path: "/v1/stats" }),
    200,
    { activeSessions: 1, totalAgents: 2, totalMessages: 0, uptime: number },
  ],
];

const remove = ({ at, key }: Scene, agentId: string, more: object = {}): Call => ({
  ...{ method: "DELETE", path: `${at}/agents/${agentId}`, agent: agentId, key, ...more },
});
const join = (at: string, agent?: string): Call => ({
  ...{ method: "POST", path: `${at}/join`, ...(agent !== undefined && { agent }) },
});
const NOWHERE = `/v1/sessions/${"0".repeat(48)}`;

/** Every row of the table of errors, with each of its requests. */
export const ERRORS: [
  status: number,
  code: string,
  by: string,
  call: (scene: Scene) => Call | Promise<Call>,
][] = [
  [400, "invalid_body", "a body that is no JSON", () => ({ method: "PUT", path: "/v1/sessions", body: "{" })],
  [
    ...([400, "invalid_request", "a message without content"] as const),
    ({ at }) => ({ method: "POST", path: `${at}/messages`, agent: "me", body: {} }),
  ],
  [
    ...([400, "invalid_request", "a ttl beyond the maximum"] as const),
    ({ at }) => ({ method: "POST", path: `${at}/renew`, agent: "me", body: { ttl: 86_401 } }),
  ],
  [400, "missing_agent_id", "join", ({ at }) => join(at)],
  [
    ...([400, "missing_agent_id", "messages"] as const),
    ({ at }) => ({ method: "POST", path: `${at}/messages`, body: { text: "a" } }),
  ],
  [400, "missing_agent_id", "poll", ({ at }) => ({ method: "GET", path: `${at}/messages` })],
  [
    ...([400, "missing_agent_id", "claim"] as const),
    ({ code }) => ({ method: "POST", path: `/v1/pair/${code}/claim` }),
  ],
  [400, "missing_agent_id", "renew", ({ at }) => ({ method: "POST", path: `${at}/renew` })],
  [
    ...([400, "missing_agent_id", "leave"] as const),
    ({ at, key }) => ({ method: "DELETE", path: `${at}/agents/me`, key }),
  ],
  [
    ...([401, "missing_session_key", "leave"] as const),
    ({ at }) => ({ method: "DELETE", path: `${at}/agents/me`, agent: "me" }),
  ],
  [401, "invalid_session_key", "leave", (scene) => remove(scene, "me", { key: "wrong" })],
  [
    ...([403, "invalid_session_key", "send"] as const),
    ({ at }) => ({ method: "POST", path: `${at}/messages`, agent: "me", key: "wrong", body: { text: "a" } }),
  ],
  [
    ...([403, "forbidden", "a send by a non-member"] as const),
    ({ at }) => ({ method: "POST", path: `${at}/messages`, agent: "stranger", body: { text: "a" } }),
  ],
  [
    ...([403, "forbidden", "a creator leaving"] as const),
    async ({ server }) => {
      const { body } = await send(server, {
        method: "PUT",
        path: "/v1/sessions",
        body: { creatorAgentId: "boss" },
      });
      const at = `/v1/sessions/${body.sessionId}`;
      return { method: "DELETE", path: `${at}/agents/boss`, agent: "boss", key: body.sessionKey };
    },
  ],
  [
    ...([403, "agent_not_in_session", "a poll by a non-member"] as const),
    ({ at }) => ({ method: "GET", path: `${at}/messages`, agent: "stranger" }),
  ],
  [404, "session_not_found", "status", () => ({ method: "GET", path: NOWHERE })],
  [404, "session_not_found", "join", () => join(NOWHERE, "me")],
  [404, "session_not_found", "poll", () => ({ method: "GET", path: `${NOWHERE}/messages`, agent: "me" })],
  [
    ...([404, "session_not_found", "send"] as const),
    () => ({ method: "POST", path: `${NOWHERE}/messages`, agent: "me", body: { text: "a" } }),
  ],
  [404, "session_not_found", "renew", () => ({ method: "POST", path: `${NOWHERE}/renew`, agent: "me" })],
  [404, "session_not_found", "leave", (scene) => remove({ ...scene, at: NOWHERE }, "me")],
  [
    ...([404, "session_not_found", "pair"] as const),
    () => ({ method: "PUT", path: "/v1/pair", body: { sessionId: "0".repeat(48) } }),
  ],
  [
    404,
    "code_not_found",
    "claim",
    () => ({ method: "POST", path: "/v1/pair/NO-CODE-AAAAA/claim", agent: "me" }),
  ],
  [404, "code_not_found", "pair-status", () => ({ method: "GET", path: "/v1/pair/NO-CODE-AAAAA/status" })],
  [
    ...([404, "code_expired_or_used", "a second claim"] as const),
    async ({ server, code }) => {
      const claim = { method: "POST", path: `/v1/pair/${code}/claim`, agent: "another" };
      await send(server, claim);
      return { ...claim, agent: "third" };
    },
  ],
  [
    ...([404, "code_expired_or_used", "a claim after ten minutes"] as const),
    async ({ server, code }) => {
      await send(server, { method: "POST", path: "/_control", body: { advanceMs: 600_000 } });
      return { method: "POST", path: `/v1/pair/${code}/claim`, agent: "another" };
    },
  ],
  [404, "agent_not_found", "leave by a non-member", (scene) => remove(scene, "stranger")],
  [
    ...([409, "session_full", "join"] as const),
    async ({ server, at }) => {
      await send(server, join(at, "third"));
      return join(at, "fourth");
    },
  ],
  [
    ...([409, "session_full", "claim"] as const),
    async ({ server, at, code }) => {
      await send(server, join(at, "third"));
      return { method: "POST", path: `/v1/pair/${code}/claim`, agent: "fourth" };
    },
  ],
  [409, "agent_id_taken", "join", ({ at }) => join(at, "me")],
  [
    ...([409, "agent_id_taken", "claim"] as const),
    ({ code }) => ({ method: "POST", path: `/v1/pair/${code}/claim`, agent: "me" }),
  ],
  [
    ...([429, "rate_limit_exceeded", "the 101st of all requests in 60 s"] as const),
    async ({ server, at }) => {
      const before = server.requests.length;
      for (let sent = before; sent < 100; sent++)
        await send(server, sent % 2 ? { method: "GET", path: "/health" } : { method: "GET", path: at });
      return { method: "GET", path: "/v1/stats" };
    },
  ],
  [
    ...([500, "internal_error", "with X-Request-Id"] as const),
    ({ server }) => {
      server.addFault({ kind: "status", status: 500 });
      return { method: "GET", path: "/v1/stats" };
    },
  ],
];

/** The NexusMessaging stand-in follows the service's documentation, and injects faults on request. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startLife } from "../../sandbox/life.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { startNex } from "../../sandbox/nex.ts";

let server: MessagingServer;

beforeEach(async () => {
  server = await startMessaging();
});
afterEach(async () => {
  await server.close();
});

interface CallOptions {
  agent?: string;
  key?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

async function call(method: string, path: string, { agent, key, body, headers }: CallOptions = {}) {
  const response = await fetch(server.url + path, {
    method,
    redirect: "manual",
    headers: {
      ...(agent !== undefined && { "x-agent-id": agent }),
      ...(key !== undefined && { "x-session-key": key }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
}

const control = (body: unknown) => call("POST", "/_control", { body });

/** Ends with this server instead of the default one. */
async function restartWith(options: Parameters<typeof startMessaging>[0]) {
  await server.close();
  server = await startMessaging(options);
}

async function joined(agent: string, session = server.createSession()) {
  const { body } = await call("POST", `/v1/sessions/${session}/join`, { agent });
  return { session, key: String(body.sessionKey), messages: `/v1/sessions/${session}/messages` };
}

describe("the requests", () => {
  test("PUT /v1/sessions creates a session with the defaults", async () => {
    const { status, body } = await call("PUT", "/v1/sessions");
    expect(status).toBe(201);
    expect(body).toEqual({
      sessionId: expect.stringMatching(/^[0-9a-f]{48}$/),
      ttl: 3660,
      maxAgents: 50,
      state: "active",
    });
  });

  test("PUT /v1/sessions with a creator joins it at once and returns its key", async () => {
    const request = { ttl: 60, maxAgents: 2, creatorAgentId: "boss" };
    const { body } = await call("PUT", "/v1/sessions", { body: request });
    expect(body).toMatchObject({ ttl: 60, maxAgents: 2, creatorAgentId: "boss" });
    expect(body.sessionKey).toMatch(/^[0-9a-f]{64}$/);
    const session = await call("GET", `/v1/sessions/${body.sessionId}`);
    expect(session.body).toEqual({
      sessionId: body.sessionId,
      state: "active",
      agents: ["boss"],
      ttl: 60,
      maxAgents: 2,
      creatorAgentId: "boss",
    });
  });

  test("joining returns a key; a message with it is verified, one without is not", async () => {
    const { key, messages } = await joined("a");
    const sent = await call("POST", messages, { agent: "a", key, body: { text: "one" } });
    expect(sent.status).toBe(201);
    expect(sent.body).toEqual({ id: expect.any(String), cursor: "1", expiresAt: expect.any(String) });
    await call("POST", messages, { agent: "a", body: { text: "two", json: { n: 2 } } });
    const page = await call("GET", messages, { agent: "a" });
    expect(page.body.messages).toMatchObject([
      { id: sent.body.id, agentId: "a", text: "one", cursor: "1", verified: true },
      { agentId: "a", text: "two", json: { n: 2 }, cursor: "2", verified: false },
    ]);
    expect(page.body.messages[0].id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(page.body.nextCursor).toBe("2");
    expect(page.body).not.toHaveProperty("members");
  });

  test("after is exclusive, and members=true says who was last seen when", async () => {
    const { session, messages } = await joined("a");
    server.post(session, "peer", { text: "one" });
    server.post(session, "peer", { text: "two" });
    const { body } = await call("GET", `${messages}?after=1&members=true`, { agent: "a" });
    expect(body.messages.map((message: { text: string }) => message.text)).toEqual(["two"]);
    expect(body.members).toEqual([
      { agentId: "a", lastSeenAt: expect.any(String) },
      { agentId: "peer", lastSeenAt: expect.any(String) },
    ]);
  });

  test("the greeting has cursor 0: seen without after, skipped by after=0", async () => {
    const { messages } = await joined("a", server.createSession({ greeting: "Welcome" }));
    const first = await call("GET", messages, { agent: "a" });
    expect(first.body.messages).toMatchObject([{ text: "Welcome", cursor: "0", agentId: "system" }]);
    expect(first.body.nextCursor).toBe("0");
    expect((await call("GET", `${messages}?after=0`, { agent: "a" })).body.messages).toEqual([]);
  });

  test("cursors exceed 2^53 without losing a digit", async () => {
    const { session, messages } = await joined("a");
    server.setNextCursor(session, "9007199254740993");
    server.post(session, "peer", { text: "one" });
    server.post(session, "peer", { text: "two" });
    const { body } = await call("GET", `${messages}?after=9007199254740993`, { agent: "a" });
    expect(body).toMatchObject({ messages: [{ text: "two" }], nextCursor: "9007199254740994" });
  });

  test("a member leaves with its key and may rejoin with a new one", async () => {
    const { session, key } = await joined("a");
    const left = await call("DELETE", `/v1/sessions/${session}/agents/a`, { agent: "a", key });
    expect(left.status).toBe(200);
    expect(left.body).toEqual({ ok: true, sessionId: session, agentId: "a", message: expect.any(String) });
    expect((await joined("a", session)).key).not.toBe(key);
  });

  test("a message of more than 1 MiB is accepted whole", async () => {
    const { messages } = await joined("a");
    const text = "x".repeat(1_200_000);
    expect((await call("POST", messages, { agent: "a", body: { text } })).status).toBe(201);
    expect((await call("GET", messages, { agent: "a" })).body.messages[0].text).toHaveLength(1_200_000);
  });

  test("the server's own scan redacts a secret", async () => {
    const { messages } = await joined("a");
    await call("POST", messages, { agent: "a", body: { text: "my key: sk-0123456789abcdefghijk!" } });
    const page = await call("GET", messages, { agent: "a" });
    expect(page.body.messages[0].text).toBe("my key: [REDACTED:api_key]!");
  });

  test("a pairing code admits one agent, once", async () => {
    const session = server.createSession();
    const pair = await call("PUT", "/v1/pair", { body: { sessionId: session } });
    expect(pair.status).toBe(201);
    const code: string = pair.body.code;
    expect(code).toMatch(/^[A-Z]+-[A-Z]+-[A-Z0-9]{5}$/);
    expect(pair.body.url).toBe(`${server.url}/p/${code}`);
    expect(Date.parse(pair.body.expiresAt) - Date.now()).toBeGreaterThan(590_000);
    expect((await call("GET", `/v1/pair/${code}/status`)).body).toEqual({ state: "pending" });

    const claim = await call("POST", `/v1/pair/${code}/claim`, { agent: "b" });
    expect(claim.body).toEqual({ sessionId: session, status: "claimed", sessionKey: expect.any(String) });
    expect((await call("GET", `/v1/pair/${code}/status`)).body).toEqual({ state: "claimed" });
    const again = await call("POST", `/v1/pair/${code}/claim`, { agent: "c" });
    expect([again.status, again.body.error]).toEqual([404, "code_expired_or_used"]);
  });

  test("a pairing link leads to instructions, as Markdown, or as HTML for a browser", async () => {
    const pair = await call("PUT", "/v1/pair", { body: { sessionId: server.createSession() } });
    const link = await call("GET", `/p/${pair.body.code}`);
    expect(link.status).toBe(301);
    const path = link.headers.get("location") ?? "";
    expect(path).toBe(`/v1/pair/${pair.body.code}/skill`);
    const markdown = await call("GET", path);
    expect(markdown.headers.get("content-type")).toMatch("text/markdown");
    expect(markdown.text).toContain(`/v1/pair/${pair.body.code}/claim`);
    const html = await call("GET", path, { headers: { accept: "text/html" } });
    expect(html.headers.get("content-type")).toMatch("text/html");
  });

  test("health lists the message formats, stats count", async () => {
    const { session } = await joined("a");
    server.post(session, "peer", { text: "one" });
    expect((await call("GET", "/health")).body).toMatchObject({
      uptime: expect.any(Number),
      capabilities: { messageFormat: ["text", "json"] },
    });
    expect((await call("GET", "/v1/stats")).body).toEqual({
      activeSessions: 1,
      totalAgents: 2,
      totalMessages: 1,
      uptime: expect.any(Number),
    });
  });

  test("a server without capabilities does not mention them and accepts no json", async () => {
    await restartWith({ reportsCapabilities: false });
    const { messages } = await joined("a");
    expect((await call("GET", "/health")).body).not.toHaveProperty("capabilities");
    const jsonOnly = await call("POST", messages, { agent: "a", body: { json: {} } });
    expect(jsonOnly.body.error).toBe("invalid_request");
  });
});

describe("the errors", () => {
  // Those of the protocol's own table are in messaging-tables.test.ts. SESSION stands for a session of `boss`.
  test.each<[name: string, code: string, method: string, path: string, options: CallOptions]>([
    ["more than 50 agents", "invalid_request", "PUT", "/v1/sessions", { body: { maxAgents: 51 } }],
    ["a greeting of the wrong type", "invalid_request", "PUT", "/v1/sessions", { body: { greeting: 1 } }],
    ["a cursor that is no number", "invalid_request", "GET", "SESSION/messages?after=x", { agent: "boss" }],
    ["an agent id with a space", "invalid_request", "POST", "SESSION/join", { agent: "a b" }],
    ["an agent id too long", "invalid_request", "POST", "SESSION/join", { agent: "a".repeat(129) }],
    ["a pairing for nothing", "invalid_request", "PUT", "/v1/pair", {}],
    ["renewing as a stranger", "forbidden", "POST", "SESSION/renew", { agent: "x" }],
    ["a page for a code that never was", "code_not_found", "GET", "/v1/pair/A-B-C/skill", {}],
  ])("%s is %s", async (_, code, method, path, options) => {
    const session = server.createSession({ creatorAgentId: "boss" });
    const answer = await call(method, path.replace("SESSION", `/v1/sessions/${session}`), options);
    expect(answer.body).toMatchObject({ error: code, message: expect.any(String) });
    if (code === "invalid_request") expect(answer.body.details).toHaveLength(1);
  });

  test("the 101st request within 60 s is refused until the first is a minute old", async () => {
    for (let i = 0; i < 100; i++) await call("GET", "/health");
    await control({ advanceMs: 20_000 });
    const refused = await call("GET", "/health");
    expect([refused.status, refused.body.error]).toEqual([429, "rate_limit_exceeded"]);
    expect(Number(refused.headers.get("retry-after"))).toBeOneOf(
      Array.from({ length: 21 }, (_, at) => 20 + at),
    );
    await control({ advanceMs: 40_000 });
    expect((await call("GET", "/health")).status).toBe(200);
  });

  test("without a limit nothing is refused", async () => {
    await restartWith({ rateLimit: null });
    const answers = await Promise.all(Array.from({ length: 150 }, () => call("GET", "/health")));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
  });
});

describe("time", () => {
  test("an idle session ends after its ttl; sending extends it, polling does not", async () => {
    const { messages } = await joined("a", server.createSession({ ttl: 60 }));
    await control({ advanceMs: 50_000 });
    expect((await call("POST", messages, { agent: "a", body: { text: "x" } })).status).toBe(201);
    await control({ advanceMs: 50_000 });
    expect((await call("GET", messages, { agent: "a" })).status).toBe(200);
    await control({ advanceMs: 10_000 });
    const { status, body } = await call("GET", messages, { agent: "a" });
    expect([status, body.error]).toEqual([404, "session_not_found"]);
  });

  test("renewing restarts the ttl, with another one if given", async () => {
    const { session } = await joined("a", server.createSession({ ttl: 60 }));
    await control({ advanceMs: 50_000 });
    const renewed = await call("POST", `/v1/sessions/${session}/renew`, { agent: "a", body: { ttl: 120 } });
    expect(renewed.body).toEqual({
      sessionId: session,
      state: "active",
      ttl: 120,
      expiresAt: expect.any(String),
      agents: ["a"],
    });
    await control({ advanceMs: 119_000 });
    expect((await call("GET", `/v1/sessions/${session}`)).status).toBe(200);
    await control({ advanceMs: 1000 });
    expect((await call("GET", `/v1/sessions/${session}`)).status).toBe(404);
  });

  test("a pairing code ends after ten minutes", async () => {
    const pair = await call("PUT", "/v1/pair", { body: { sessionId: server.createSession() } });
    await control({ advanceMs: 600_000 });
    expect((await call("GET", `/v1/pair/${pair.body.code}/status`)).body).toEqual({ state: "expired" });
    const claim = await call("POST", `/v1/pair/${pair.body.code}/claim`, { agent: "a" });
    expect(claim.body.error).toBe("code_expired_or_used");
  });

  test("an inactive member is removed, the creator never", async () => {
    await restartWith({ inactivityMs: 60_000 });
    const session = server.createSession({ creatorAgentId: "boss" });
    const { messages } = await joined("a", session);
    await control({ advanceMs: 60_001 });
    const poll = await call("GET", messages, { agent: "a" });
    expect([poll.status, poll.body.error]).toEqual([403, "agent_not_in_session"]);
    expect((await call("GET", messages, { agent: "boss" })).status).toBe(200);
  });

  test("after a restart of the server messages and cursors start over, sessions and greeting stay", async () => {
    const { session, messages } = await joined("a", server.createSession({ greeting: "Welcome" }));
    const [greeting] = (await call("GET", messages, { agent: "a" })).body.messages;
    server.post(session, "peer", { text: "before" });
    await control({ advanceMs: 5000 });
    await control({ forgetMessages: true });
    expect((await call("GET", "/health")).body.uptime).toBe(0);
    const blind = await call("GET", `${messages}?after=1`, { agent: "a" });
    expect(blind.body).toMatchObject({ messages: [], nextCursor: "0" });
    expect(server.post(session, "peer", { text: "after" }).cursor).toBe("1");
    const all = await call("GET", messages, { agent: "a" });
    expect(all.body.messages).toMatchObject([greeting, { text: "after" }]);
  });

  test("a server that echoes the cursor hides its restart from a poll", async () => {
    await restartWith({ emptyPageCursor: "echo" });
    const { messages } = await joined("a");
    expect((await call("GET", `${messages}?after=57`, { agent: "a" })).body.nextCursor).toBe("57");
  });
});

describe("injected faults", () => {
  test("the control endpoint creates, posts, removes and expires, and its requests do not count", async () => {
    await restartWith({ rateLimit: 2 });
    const created = await control({ createSession: { id: "room", greeting: "Hi" } });
    expect(created.body).toEqual({ ok: true, result: "room" });
    await control({ setNextCursor: { sessionId: "room", cursor: "41" } });
    const posted = await control({ post: { sessionId: "room", agentId: "peer", text: "x" } });
    expect(posted.body.result.cursor).toBe("41");
    await control({ removeAgent: { sessionId: "room", agentId: "peer" } });
    expect((await call("GET", "/v1/sessions/room")).body.agents).toEqual([]);
    await control({ expireSession: "room" });
    expect((await call("GET", "/v1/sessions/room")).status).toBe(404);
    expect((await control({ post: { sessionId: "room", agentId: "peer", text: "x" } })).status).toBe(400);
    expect((await control({ nonsense: 1 })).status).toBe(400);

    const state = (await call("GET", "/_control")).body;
    expect(state.requests).toMatchObject([
      { method: "GET", path: "/v1/sessions/room", status: 200, at: expect.any(Number) },
      { method: "GET", path: "/v1/sessions/room", status: 404 },
    ]);
    expect(state.sessions).toEqual([]);
  });

  test("status: matching requests get that status, for a given number of times", async () => {
    await control({
      fault: { kind: "status", match: "GET /health", times: 2, status: 429, headers: { "retry-after": "7" } },
    });
    expect((await call("GET", "/v1/stats")).status).toBe(200);
    const refused = await call("GET", "/health");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "7"]);
    expect((await call("GET", "/_control")).body.faults).toMatchObject([{ kind: "status", times: 1 }]);
    expect((await call("GET", "/health")).status).toBe(429);
    expect((await call("GET", "/health")).status).toBe(200);
  });

  test("a 500 carries the service's own error and an X-Request-Id; the fault's body overrides it", async () => {
    server.addFault({ kind: "status", status: 500 });
    server.addFault({ kind: "status", status: 412, body: { error: "CHALLENGE_REQUIRED" } });
    const broken = await call("GET", "/health");
    expect(broken.body.error).toBe("internal_error");
    expect(broken.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect((await call("GET", "/health")).body).toEqual({ error: "CHALLENGE_REQUIRED" });
  });

  test("html: the page of a proxy", async () => {
    server.addFault({ kind: "html" });
    const { status, headers, text } = await call("GET", "/health");
    expect([status, headers.get("content-type")]).toEqual([502, "text/html"]);
    expect(text).toContain("Bad Gateway");
  });

  test("drop: no answer; with afterHandling the work is still done", async () => {
    const { session, messages } = await joined("a");
    const send = () => call("POST", messages, { agent: "a", body: { text: "x" } });
    server.addFault({ kind: "drop", match: "POST /v1/sessions" });
    await expect(send()).rejects.toThrow();
    server.addFault({ kind: "drop", match: `${session}/messages`, afterHandling: true });
    await expect(send()).rejects.toThrow();
    expect(server.requests.slice(-2).map((request) => request.status)).toEqual([0, 0]);
    expect((await call("GET", messages, { agent: "a" })).body.messages).toHaveLength(1);
  });

  test("stall: no answer until the faults are cleared", async () => {
    server.addFault({ kind: "stall", times: -1 });
    let isAnswered = false;
    const stalled = call("GET", "/health").then(() => {
      isAnswered = true;
    });
    await expect.poll(() => server.requests.length).toBe(1);
    await expect(fetch(`${server.url}/health`, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    expect(isAnswered).toBe(false);
    await control({ clearFaults: true });
    await stalled;
  });

  test("slow-body: headers at once, the body only when cleared", async () => {
    server.addFault({ kind: "slow-body" });
    const response = await fetch(`${server.url}/health`);
    expect(response.status).toBe(200);
    server.clearFaults();
    expect(await response.json()).toMatchObject({ status: "ok" });
  });

  test("cut: the connection breaks after a given number of bytes", async () => {
    server.addFault({ kind: "cut", afterBytes: 5 });
    const response = await fetch(`${server.url}/health`);
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('{"sta');
    await expect(reader?.read()).rejects.toThrow();
  });

  test("duplicate: the next page with messages has each twice", async () => {
    const { session, messages } = await joined("a");
    server.addFault({ kind: "duplicate" });
    expect((await call("GET", messages, { agent: "a" })).body.messages).toEqual([]);
    server.post(session, "peer", { text: "x" });
    const { body } = await call("GET", messages, { agent: "a" });
    expect(body.messages).toHaveLength(2);
    expect(body.messages[0]).toEqual(body.messages[1]);
    expect((await call("GET", messages, { agent: "a" })).body.messages).toHaveLength(1);
  });

  test("an invalid fault is refused with the reason", async () => {
    const refused = await control({ fault: { kind: "status" } });
    expect([refused.status, refused.body.message]).toEqual([400, "fault.status is missing"]);
    expect((await control({ fault: { kind: "explode" } })).body.message).toMatch(
      /^fault.kind must be one of/,
    );
    expect((await control({ fault: { kind: "drop", after: 1 } })).body.message).toMatch(/^fault.after /);
  });
});

test("the scripted life writes lines and emits insights, each with another text, until it is stopped", async () => {
  const nex = await startNex({ apiKey: "key" });
  const session = server.createSession();
  const life = startLife({ messaging: server, nex, sessionId: session, peer: "peer", intervalMs: 10 });
  const { messages } = await joined("a", session);
  const insights = async () => {
    const response = await fetch(`${nex.url}/api/developers/v1/insights?limit=100`, {
      headers: { authorization: "Bearer key" },
    });
    // The stand-in's own documented shape.
    const body = (await response.json()) as { insights: { type: string; content: string }[] };
    return body.insights;
  };
  await expect.poll(async () => new Set((await insights()).map((one) => one.type)).size).toBe(13);
  life.stop();
  const texts = [
    ...(await insights()).map((one) => one.content),
    ...(await call("GET", messages, { agent: "a" })).body.messages.map((one: { text: string }) => one.text),
  ];
  expect(new Set(texts).size).toBe(texts.length);
  expect(texts.length).toBeGreaterThan(20);
  await nex.close();
});

// Sessions by the real daemon: created, joined, claimed, left, and the effects of each server answer.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";

let server: MessagingServer;
let other: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;

const start = async () => {
  daemon = startDaemon(installation);
  await daemon.ready;
};

beforeAll(async () => {
  [server, other] = await Promise.all([
    startMessaging({ rateLimit: null }),
    startMessaging({ rateLimit: null, reportsCapabilities: false }),
  ]);
  installation = install(`
[messaging]
base_url = "${server.url}"
servers = ["${other.url}"]
agent_id = "me"
requests_per_minute = 6000
[nex]\nenabled = false\n[nexus]\nenabled = false
`);
  await start();
});

afterEach(() => {
  server.clearFaults();
  other.clearFaults();
});

afterAll(async () => {
  await daemon.end("SIGKILL");
  await Promise.all([server.close(), other.close()]);
  installation.remove();
});

const post = async (path: string, body: unknown) => {
  const { status, text } = await ask(installation.agentSocket, path, { method: "POST", body });
  return { status, answer: JSON.parse(text) };
};
const propose = (operation: string, input: object) => post("/v1/writes", { operation, input });
const ended = (id: string) =>
  until(async () => {
    const write = JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);
    return ["succeeded", "failed", "unknown"].includes(write.state) && write;
  }, "the end of the write");
/** Proposes and waits for the end; the policy approves. */
const write = async (operation: string, input: object) => {
  const { answer } = await propose(operation, input);
  if (answer.id === undefined) throw new Error(answer.detail);
  return ended(answer.id);
};
const output = async (operation: string, input: object) => {
  const { state, result } = await write(operation, input);
  if (state !== "succeeded") throw new Error(`${operation} ${state}: ${JSON.stringify(result)}`);
  return result.output;
};
const failure = async (operation: string, input: object) => {
  const { state, result } = await write(operation, input);
  return [state, result.error?.code];
};
const read = async (operation: string, input: object) =>
  (await post("/v1/reads", { operation, input })).answer.output;
const sessions = async () =>
  JSON.parse((await ask(installation.agentSocket, "/v1/messaging/sessions")).text).sessions;
const sessionOf = async (id: string) =>
  (await sessions()).find(({ sessionId }: { sessionId: string }) => sessionId === id);
const events = async (type: string, sessionId?: string) =>
  (await readLog(installation.agentSocket)).filter(
    (event) =>
      event.type === `nexusd.messaging.${type}` &&
      event.data.sessionId === (sessionId ?? event.data.sessionId),
  );
const received = (text: string) =>
  until(
    async () => (await events("message.received")).some(({ data }) => data.text === text),
    `the message ${text}`,
  );
const keyOf = (sessionId: string) => {
  const database = new Database(join(installation.dataDir, "nexusd.db"), { readonly: true });
  const key = database
    .prepare("SELECT value FROM secrets WHERE name = ?")
    .pluck()
    .get(`messaging.key:${sessionId}`);
  database.close();
  return key;
};
const agentsOf = async (session: string) => (await read("messaging.sessions.get", { session })).agents;

describe("entering a session", () => {
  it("a created session is polled at once, by its creator, who cannot leave", async () => {
    const { sessionId, ...told } = await output("messaging.sessions.create", {
      alias: "ops",
      greeting: "hello",
      ttlSeconds: 600,
    });
    expect(told).toMatchObject({ alias: "ops", ttl: 600, creatorAgentId: "me" });
    await received("hello");
    server.post(sessionId, "peer", { text: "hi" });
    await received("hi");
    expect(await sessionOf(sessionId)).toMatchObject({ state: "joined", isCreator: true, alias: "ops" });
    expect(keyOf(sessionId)).toEqual(expect.any(String));
    expect((await propose("messaging.sessions.leave", { session: "ops" })).answer).toMatchObject({
      code: "operation_refused",
      detail: expect.stringContaining("creator"),
    });
  });

  it("a session that cannot be left can be forgotten: it gets no more requests, and its alias is free", async () => {
    const { sessionId } = await output("messaging.sessions.create", { alias: "mine", ttlSeconds: 600 });
    server.post(sessionId, "peer", { text: "before" });
    await received("before");
    const forget = () => output("messaging.sessions.forget", { session: "mine" });
    expect(await forget()).toEqual({ sessionId, status: "forgotten" });
    const requests = () => server.requests.filter(({ path }) => path.includes(sessionId)).length;
    const before = requests();
    expect(await sessionOf(sessionId)).toMatchObject({ state: "left", alias: null });
    expect(keyOf(sessionId)).toBeUndefined();
    const next = await output("messaging.sessions.create", { alias: "mine" });
    server.post(next.sessionId, "peer", { text: "in the next" });
    await received("in the next");
    expect(requests()).toBeLessThanOrEqual(before + 1); // one may have been under way
    await output("messaging.sessions.forget", { session: next.sessionId });
    expect(await forget()).toMatchObject({ status: "forgotten" });
  });

  it("a session created without a creator is joined next", async () => {
    const { sessionId } = await output("messaging.sessions.create", { asCreator: false });
    await until(async () => (await sessionOf(sessionId)).state === "joined", "the join");
    expect(await sessionOf(sessionId)).toMatchObject({ isCreator: false });
    expect(await agentsOf(sessionId)).toEqual(["me"]);
  });

  it("a session with a known id is joined, and its lifetime is learnt", async () => {
    const session = server.createSession({ greeting: "welcome", ttl: 900 });
    expect(await output("messaging.sessions.join", { session, alias: "room" })).toMatchObject({
      status: "joined",
    });
    await received("welcome");
    await until(async () => (await sessionOf(session)).ttlMs === 900_000, "its time");
    const again = await propose("messaging.sessions.join", { session: "room" });
    expect(again.answer).toMatchObject({
      code: "operation_refused",
      detail: expect.stringContaining("already"),
    });
  });

  it("a code or link is claimed on its own server", async () => {
    const mine = await output("messaging.sessions.create", { alias: "mine" });
    const { code, url } = await output("messaging.pairs.create", { session: "mine" });
    expect(url).toBe(`${server.url}/p/${code}`);
    expect(await read("messaging.pairs.get", { code: url })).toEqual({ state: "pending" });
    // Our own id is already in it, as the server reports.
    expect(await failure("messaging.pairs.claim", { code })).toEqual(["failed", "agent_id_taken"]);

    const elsewhere = other.createSession({ greeting: "from the other" });
    const response = await fetch(`${other.url}/v1/pair`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sessionId: elsewhere }),
    });
    const link = ((await response.json()) as { url: string }).url; // the stand-in always gives one
    expect(await output("messaging.pairs.claim", { code: link, alias: "theirs" })).toMatchObject({
      sessionId: elsewhere,
      status: "claimed",
    });
    await received("from the other");
    expect(await sessionOf(elsewhere)).toMatchObject({ baseUrl: other.url, alias: "theirs" });
    expect(await sessionOf(mine.sessionId)).toMatchObject({ baseUrl: server.url });
    expect(await read("messaging.pairs.get", { code: link })).toEqual({ state: "claimed" });
  });

  it.each([
    ["messaging.sessions.create", { server: "https://evil.example" }],
    ["messaging.sessions.join", { session: "a".repeat(48), server: "http://127.0.0.1:1" }],
    ["messaging.pairs.claim", { code: "https://evil.example/p/PEARL-FOCAL-S5SJV" }],
  ])("%s contacts no server that is not configured", async (operation, input) => {
    const { status, answer } = await propose(operation, input);
    expect([status, answer.code]).toEqual([409, "operation_refused"]);
    expect(answer.detail).toContain(server.url);
    expect(answer.detail).toContain(other.url);
  });

  it("a session that is full, gone or has our name is reported by its code, and not kept", async () => {
    const full = server.createSession({ maxAgents: 1 });
    server.post(full, "peer", { text: "x" });
    const taken = server.createSession({});
    server.post(taken, "me", { text: "x" });
    expect(await failure("messaging.sessions.join", { session: full })).toEqual(["failed", "session_full"]);
    expect(await failure("messaging.sessions.join", { session: taken })).toEqual([
      "failed",
      "agent_id_taken",
    ]);
    expect(await failure("messaging.sessions.join", { session: "0".repeat(48) })).toEqual([
      "failed",
      "session_not_found",
    ]);
    for (const session of [full, taken]) expect(await sessionOf(session)).toBeUndefined();
    const { result } = await write("messaging.sessions.join", { session: full });
    expect(result.error.message).toContain("Ask its creator for a larger one");
  });

  it("a key that is a common word does not make that word a secret", async () => {
    const answer = { kind: "status", match: "/join", status: 200, afterHandling: true } as const;
    for (const sessionKey of ["session_not_found", "s"]) {
      const session = server.createSession({});
      server.addFault({ ...answer, body: { status: "joined", sessionKey } });
      await output("messaging.sessions.join", { session });
    }
    expect(await failure("messaging.sessions.join", { session: "0".repeat(48) })).toEqual([
      ...["failed", "session_not_found"],
    ]);
  });
});

describe("a SIGKILL between response and commit", () => {
  it("of a join discovers the membership and continues with it", async () => {
    const session = server.createSession({ greeting: "after the kill" });
    server.addFault({ kind: "stall", match: `${session}/join`, afterHandling: true, ms: 60_000 });
    const { answer } = await propose("messaging.sessions.join", { session, alias: "cut" });
    const isIn = async () =>
      (await (await fetch(`${server.url}/v1/sessions/${session}`)).text()).includes('"me"');
    await until(isIn, "the request, carried out");
    await daemon.end("SIGKILL");
    server.clearFaults();
    await start();
    expect((await ended(answer.id)).state).toBe("succeeded");
    await received("after the kill");
    expect(await sessionOf(session)).toMatchObject({
      state: "joined",
      alias: "cut",
      reason: { code: "missing_session_key" },
    });
    expect(await events("session.joined", session)).toHaveLength(1);
  });

  it("of a claim leaves it unknown, does not repeat it, and says how to find out", async () => {
    const session = server.createSession({});
    const response = await fetch(`${server.url}/v1/pair`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sessionId: session }),
    });
    const { code } = (await response.json()) as { code: string }; // the stand-in always gives one
    server.addFault({ kind: "stall", match: "/claim", afterHandling: true, ms: 60_000 });
    const { answer } = await propose("messaging.pairs.claim", { code });
    await until(() => server.requests.some(({ path }) => path.endsWith(`${code}/claim`)), "the request");
    await daemon.end("SIGKILL");
    server.clearFaults();
    await start();
    const { state, result } = await ended(answer.id);
    expect(state).toBe("unknown");
    expect(result.remedy).toContain("messaging.pairs.get");
    expect(server.requests.filter(({ path }) => path.endsWith(`${code}/claim`))).toHaveLength(1);
  });
});

describe("leaving", () => {
  const enter = async () => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session, alias: `room-${session}` });
    return session;
  };
  const DELETE = "DELETE";
  const answers = (status: number, error: string) =>
    server.addFault({ kind: "status", match: DELETE, status, body: { error } });

  it("gives up the membership, forgets alias and key, and is reported once; a second time it does nothing", async () => {
    const session = await enter();
    expect(await output("messaging.sessions.leave", { session: `room-${session}` })).toMatchObject({
      status: "left",
    });
    expect(await agentsOf(session)).toEqual([]);
    expect(await sessionOf(session)).toMatchObject({ state: "left", alias: null });
    expect(keyOf(session)).toBeUndefined();
    for (const name of [session, `room-${session}`])
      expect(await write("messaging.sessions.leave", { session: name })).toMatchObject({
        state: "succeeded",
      });
    expect((await events("session.left", session)).map(({ data }) => data)).toEqual([
      { sessionId: session, alias: `room-${session}` },
    ]);
    const polls = server.requests.length;
    await output("messaging.sessions.join", { session, alias: `room-${session}` });
    await until(() => server.requests.length > polls + 2, "polls of the session that was entered again");
  });

  it("by an alias that another session took over leaves that one, and then the last one that had it", async () => {
    const [first, second] = [server.createSession({}), server.createSession({})];
    for (const session of [first, second]) {
      await output("messaging.sessions.join", { session, alias: "shared-room" });
      expect(await output("messaging.sessions.leave", { session: "shared-room" })).toMatchObject({
        sessionId: session,
      });
    }
    expect(await output("messaging.sessions.leave", { session: "shared-room" })).toMatchObject({
      ...{ sessionId: second, status: "left", wasOver: true },
    });
    expect((await propose("messaging.sessions.renew", { session: "shared-room" })).status).toBe(404);
  });

  it("is undone by joining under the alias or the start of the id", async () => {
    const session = await enter();
    await output("messaging.sessions.leave", { session });
    expect(await output("messaging.sessions.join", { session: `room-${session}` })).toMatchObject({
      ...{ sessionId: session, alias: `room-${session}` },
    });
    await output("messaging.sessions.leave", { session });
    expect(await output("messaging.sessions.join", { session: session.slice(0, 12) })).toMatchObject({
      sessionId: session,
    });
    expect(await sessionOf(session)).toMatchObject({ state: "joined", alias: null });
  });

  it.each([
    [404, "session_not_found"],
    [404, "agent_not_found"],
  ])("%i %s: it had ended already", async (status, error) => {
    const session = await enter();
    answers(status, error);
    expect(await output("messaging.sessions.leave", { session })).toMatchObject({ wasOver: true });
    expect(await sessionOf(session)).toMatchObject({ state: "left", alias: null });
  });

  it.each([
    [401, "missing_session_key", "missing_session_key"],
    [403, "forbidden", "creator_cannot_leave"],
    [401, "invalid_session_key", "invalid_session_key"],
    [403, "invalid_session_key", "invalid_session_key"],
  ])("%i %s while still a member: kept, with its reason", async (status, error, code) => {
    const session = await enter();
    answers(status, error);
    expect(await failure("messaging.sessions.leave", { session })).toEqual(["failed", code]);
    expect(await sessionOf(session)).toMatchObject({ state: "joined", alias: `room-${session}` });
    expect(await events("session.key_refused", session)).toHaveLength(code === "invalid_session_key" ? 1 : 0);
    expect(await events("session.left", session)).toEqual([]);
  });

  it("again, while the server lists us under a key that nexusd does not know: failed, with its reason", async () => {
    const session = await enter();
    await output("messaging.sessions.leave", { session });
    await fetch(`${server.url}/v1/sessions/${session}/join`, {
      method: "POST",
      headers: { "x-agent-id": "me" },
    });
    expect(await failure("messaging.sessions.leave", { session })).toEqual(["failed", "missing_session_key"]);
    expect(await agentsOf(session)).toEqual(["me"]);
    expect((await sessionOf(session)).state).toBe("left");
  });

  it.each([
    ["gone", 404, { error: "session_not_found" }],
    ["there without us", 200, { sessionId: "x", agents: ["peer"] }],
  ])("401 invalid_session_key of a session that is %s: done", async (_name, status, body) => {
    const session = await enter();
    answers(401, "invalid_session_key");
    server.addFault({ kind: "status", match: `GET /v1/sessions/${session} `, status, body });
    server.addFault({ kind: "status", match: `GET /v1/sessions/${session}`, status, body, times: 5 });
    expect(await output("messaging.sessions.leave", { session })).toMatchObject({ wasOver: true });
  });

  it.each([
    [
      "429",
      () => server.addFault({ kind: "status", match: DELETE, status: 429, headers: { "retry-after": "1" } }),
    ],
    ["500", () => server.addFault({ kind: "status", match: DELETE, status: 500 })],
    ["the page of a proxy", () => server.addFault({ kind: "html", match: DELETE, status: 404 })],
    ["a cut connection", () => server.addFault({ kind: "drop", match: DELETE })],
    [
      "a cut connection after it was done",
      () => server.addFault({ kind: "drop", match: DELETE, afterHandling: true }),
    ],
  ])("%s: tried again", async (_name, misbehave) => {
    const session = await enter();
    misbehave();
    expect(await output("messaging.sessions.leave", { session })).toMatchObject({ status: "left" });
    expect(await agentsOf(session)).toEqual([]);
  });
});

describe("the status of a session", () => {
  it("shows its last poll even if nothing is said in it", async () => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session });
    const polledAt = async () => Date.parse((await sessionOf(session)).lastPolledAt ?? 0);
    const polls = () =>
      server.requests.filter(({ method, path }) => method === "GET" && path.includes(`${session}/messages`));
    await until(async () => polls().length >= 2 && (await polledAt()) > 0, "the first polls");
    const before = await polledAt();
    await until(async () => (await polledAt()) > before, "a later poll to be seen");
    expect(await events("message.received", session)).toEqual([]);
  });
});

describe("the key of an ended session", () => {
  const enter = async () => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session });
    expect(keyOf(session)).toEqual(expect.any(String));
    return session;
  };
  const reached = (session: string, state: string) =>
    until(async () => (await sessionOf(session)).state === state, `it to be ${state}`);

  it("is forgotten if the session expired", async () => {
    const session = await enter();
    server.expireSession(session);
    await reached(session, "expired");
    expect(keyOf(session)).toBeUndefined();
  });

  it("is kept if the session continues without us: the key may still be good", async () => {
    const session = await enter();
    const body = { error: "session_full" };
    server.addFault({ kind: "status", match: `${session}/join`, status: 409, body });
    server.removeAgent(session, "me");
    await reached(session, "lost");
    expect(keyOf(session)).toEqual(expect.any(String));
  });
});

describe("an alias for a session", () => {
  it("is set, moved and removed on record, without a request", async () => {
    const [a, b] = [server.createSession({}), server.createSession({})];
    await output("messaging.sessions.join", { session: a, alias: "one" });
    await output("messaging.sessions.join", { session: b });
    const { preview, result } = await write("messaging.aliases.upsert", {
      alias: "one",
      session: b.slice(0, 8),
    });
    expect(preview).toMatchObject({ method: "LOCAL", body: expect.stringContaining(b) });
    expect(result.output).toEqual({ alias: "one", sessionId: b });
    expect([(await sessionOf(a)).alias, (await sessionOf(b)).alias]).toEqual([null, "one"]);
    await daemon.end("SIGKILL");
    await start();
    expect(await agentsOf("one")).toEqual(["me"]);
    await output("messaging.aliases.delete", { alias: "one" });
    expect((await sessionOf(b)).alias).toBeNull();
    expect((await propose("messaging.aliases.delete", { alias: "one" })).answer.code).toBe(
      "session_not_found",
    );
    const taken = await output("messaging.aliases.upsert", { alias: "one", session: a });
    expect(taken.sessionId).toBe(a);
    const refused = await propose("messaging.sessions.create", { alias: "one" });
    expect(refused.answer.code).toBe("operation_refused");
  });

  it("cannot be a prefix of another session's id, whose messages it would get", async () => {
    const [a, b] = [server.createSession({}), server.createSession({})];
    await output("messaging.sessions.join", { session: a });
    await output("messaging.sessions.join", { session: b });
    const alias = a.slice(0, 8);
    for (const [operation, input] of [
      ["messaging.aliases.upsert", { session: b, alias }],
      ["messaging.sessions.create", { alias }],
    ] as const)
      expect((await propose(operation, input)).answer).toMatchObject({
        code: "operation_refused",
        detail: expect.stringContaining("choose another alias"),
      });
    expect(await output("messaging.aliases.upsert", { session: a, alias })).toMatchObject({ sessionId: a });
  });
});

describe("sending", () => {
  it("JSON is put in the text if the server accepts no other, with a warning, or is refused", async () => {
    const session = other.createSession({});
    await output("messaging.sessions.join", { session, server: other.url, alias: "plain" });
    const asked = other.requests.filter(({ path }) => path === "/health").length;
    const input = { session: "plain", text: "see", json: { n: 1 } };
    const { preview, result } = await write("messaging.messages.send", input);
    expect(JSON.parse(preview.body)).toEqual({ text: 'see\n{"n":1}' });
    expect(result.output.warning).toContain("accepts only text");
    const refused = await propose("messaging.messages.send", { ...input, strict: true });
    expect(refused.answer).toMatchObject({ code: "operation_refused" });
    await output("messaging.messages.send", { session: "plain", json: [1] });
    expect(other.requests.filter(({ path }) => path === "/health").length - asked).toBeLessThanOrEqual(2);
  });

  it.each([
    [412, "CHALLENGE_REQUIRED", "challenge_required"],
    [429, "COOLDOWN_ACTIVE", "cooldown_active"],
  ])("%i %s is reported as it is, and slows nothing else down", async (status, error, code) => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session });
    server.addFault({ kind: "status", match: "POST", status, body: { error } });
    expect(await failure("messaging.messages.send", { session, text: "hi" })).toEqual(["failed", code]);
    server.post(session, "peer", { text: `still polled ${code}` });
    await received(`still polled ${code}`);
    expect(await write("messaging.messages.send", { session, text: "hi" })).toMatchObject({
      state: "succeeded",
    });
  });

  it("a refused key is reported and forgotten, and the session continues without it", async () => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session });
    server.addFault({ kind: "status", match: "POST", status: 403, body: { error: "invalid_session_key" } });
    expect(await failure("messaging.messages.send", { session, text: "hi" })).toEqual([
      "failed",
      "invalid_session_key",
    ]);
    expect(keyOf(session)).toBeUndefined();
    expect(await sessionOf(session)).toMatchObject({
      state: "joined",
      reason: { code: "invalid_session_key" },
    });
    expect(await events("session.key_refused", session)).toHaveLength(1);
    await output("messaging.messages.send", { session, text: "unverified" });
  });

  it("a late refusal of an earlier membership's key leaves the new key alone: the message can be sent again", async () => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session });
    const before = keyOf(session);
    server.addFault({ kind: "stall", match: `POST /v1/sessions/${session}/messages`, ms: 2000 });
    const { answer } = await propose("messaging.messages.send", { session, text: "hi" });
    const isSent = () =>
      server.requests.some(({ method, path }) => method === "POST" && path.endsWith(`${session}/messages`));
    await until(isSent, "the request");
    server.removeAgent(session, "me");
    await until(async () => (await events("session.joined", session)).length === 2, "the new membership");
    const { state, result } = await ended(answer.id);
    expect([state, result.error]).toMatchObject([
      "failed",
      { code: "invalid_session_key", message: expect.stringContaining("Send it again") },
    ]);
    expect(keyOf(session)).toEqual(expect.any(String));
    expect(keyOf(session)).not.toBe(before);
    expect(await sessionOf(session)).toMatchObject({ state: "joined", reason: null });
    expect(await events("session.key_refused", session)).toEqual([]);
    await output("messaging.messages.send", { session, text: "hi" });
  });

  it("a challenge in a poll is an event, once", async () => {
    const session = server.createSession({});
    await output("messaging.sessions.join", { session });
    const body = { messages: [], nextCursor: "0", ctrl: { challenge: { id: "c1", prompt: "2+2" } } };
    server.addFault({ kind: "status", match: `${session}/messages`, status: 200, body, times: 5 });
    await until(async () => (await events("session.challenged")).length > 0, "the challenge");
    await until(
      () => server.requests.filter(({ path }) => path.includes(`${session}/messages`)).length > 8,
      "more polls",
    );
    expect((await events("session.challenged")).map(({ data }) => data.challenge)).toEqual([
      { id: "c1", prompt: "2+2" },
    ]);
  });
});

it("servers report their health and statistics, and sessions their members", async () => {
  const session = server.createSession({});
  await output("messaging.sessions.join", { session });
  server.post(session, "peer", { text: "x" });
  expect(await read("messaging.servers.get_health", {})).toMatchObject({ version: "0.5.0" });
  expect(await read("messaging.servers.get_stats", { server: other.url })).toMatchObject({
    activeSessions: expect.any(Number),
  });
  expect((await read("messaging.members.list", { session })).members).toMatchObject([
    { agentId: "me", lastSeenAt: expect.any(String) },
    { agentId: "peer" },
  ]);
});

it("the session key is never exposed: on no surface, in no other table, in no log line", async () => {
  const created = await output("messaging.sessions.create", { alias: "secret" });
  const joined = server.createSession({});
  await output("messaging.sessions.join", { session: joined });
  await output("messaging.messages.send", { session: joined, text: "hi" });
  const keys = [keyOf(created.sessionId), keyOf(joined)].map(String);
  expect(keys.every((key) => key.length > 20)).toBe(true);

  const paths = [
    "health",
    "status",
    "events?after=0&limit=1000",
    "writes",
    "audit",
    "jobs",
    "operations",
  ].map((path) => `/v1/${path}`);
  const surfaces = [
    ...(await Promise.all(
      [...paths, "/v1/messaging/sessions", `/v1/messaging/sessions/${joined}/messages`, "/openapi.json"].map(
        async (path) => (await ask(installation.operatorSocket, path)).text,
      ),
    )),
    JSON.stringify(await read("messaging.sessions.get", { session: joined })),
    JSON.stringify(await read("messaging.messages.list", { session: joined, members: true })),
    daemon.log(),
  ];
  const database = new Database(join(installation.dataDir, "nexusd.db"), { readonly: true });
  const tables = database
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'secrets' AND name NOT LIKE 'sqlite_%'",
    )
    .pluck()
    .all();
  for (const table of tables)
    surfaces.push(JSON.stringify(database.prepare(`SELECT * FROM "${table}"`).all()));
  database.close();
  expect(readFileSync(installation.configPath, "utf8")).not.toContain(keys[0]);
  for (const surface of surfaces) for (const key of keys) expect(surface.includes(key)).toBe(false);
});

// The operations of NexusMessaging against its stand-in.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../../sandbox/messaging.ts";
import { HttpError } from "../../../src/http/errors.ts";
import { sessionCredential } from "../../../src/services/messaging/facts.ts";
import type { SessionEffect } from "../../../src/services/messaging/membership/changes.ts";
import { findOwn } from "../../../src/services/messaging/operations/read-back.ts";
import { json, serve } from "../../support/http-server.ts";
import { type Bench, createBench, operationNamed } from "./support.ts";

let server: MessagingServer;
let bench: Bench;
let sessionId: string;
let key: string;

beforeAll(async () => {
  server = await startMessaging({ rateLimit: null });
});
afterAll(() => server.close());

beforeEach(async () => {
  sessionId = server.createSession({ greeting: "Welcome", ttl: 600 });
  bench = createBench({ messaging: server.url, sessionKey: async () => key });
  const joined = await bench.services.messaging.server(server.url).join(sessionId, "nexusd");
  key = String(joined.sessionKey);
  bench.join({ sessionId, alias: "shop" });
});

test("a session is shown with its agents", async () => {
  const shown = await bench.run("messaging.sessions.get", { session: "shop" });
  expect(shown).toMatchObject({ sessionId, state: "active", agents: ["nexusd"], ttl: 600 });
});

test("a session is created as requested", async () => {
  const created = await bench.run("messaging.sessions.create", {
    ttlSeconds: 120,
    maxAgents: 3,
    greeting: "Hello",
  });
  expect(created).toMatchObject({ sessionId: expect.any(String), ttl: 120, maxAgents: 3 });
});

test("a key in an answer never appears in the output", async () => {
  const { catalogue } = await import("../../../src/services/catalogue.ts");
  const names = ["create", "get", "renew", "join", "leave"].map((verb) => `messaging.sessions.${verb}`);
  for (const name of [...names, "messaging.pairs.claim"]) {
    const answer = { status: 201, headers: {}, body: { sessionId: "session-1", sessionKey: "secret" } };
    const output = catalogue.get(name)?.output(answer, { session: "session-1" });
    expect(output).toMatchObject({ sessionId: "session-1" });
    expect(JSON.stringify(output)).not.toContain("secret");
  }
});

test("a session is renewed for the requested time, by default for its own", async () => {
  const input = { session: "shop", ttlSeconds: 900 };
  expect(await bench.run("messaging.sessions.renew", input)).toMatchObject({ ttl: 900 });
  expect(await bench.run("messaging.sessions.renew", { session: "shop" })).toMatchObject({ ttl: 900 });
});

test("messages are listed from the greeting, or after a cursor", async () => {
  server.post(sessionId, "peer", { text: "one" });
  const { cursor } = server.post(sessionId, "peer", { text: "two" });
  server.post(sessionId, "peer", { text: "three" });
  const texts = async (input: object) => {
    const page = await bench.run("messaging.messages.list", { session: "shop", ...input });
    return (page as { messages: { text: string }[] }).messages.map(({ text }) => text);
  };
  expect(await texts({})).toEqual(["Welcome", "one", "two", "three"]);
  expect(await texts({ after: cursor })).toEqual(["three"]);
  expect(await bench.run("messaging.messages.list", { session: "shop", members: true })).toMatchObject({
    members: [{ agentId: "nexusd" }, { agentId: "peer" }],
  });
});

describe("sending", () => {
  test("a message arrives under our name, verified by the session's key", async () => {
    const sent = await bench.run("messaging.messages.send", { session: "shop", text: "“hi” 👋\n" });
    expect(sent).toMatchObject({ messageId: expect.any(String), cursor: "1" });
    const page = await bench.services.messaging
      .server(server.url)
      .poll(sessionId, "nexusd", "0", AbortSignal.timeout(60_000));
    expect(page.messages).toMatchObject([{ agentId: "nexusd", text: "“hi” 👋\n", verified: true }]);
  });

  test("JSON is sent as such if the server accepts it, otherwise in the text, and refused with strict", async () => {
    const input = { session: "shop", json: { order: 7 } };
    expect(await bench.precondition("messaging.messages.send", input)).toEqual({
      state: "joined",
      jsonAs: "json",
    });
    await bench.run("messaging.messages.send", input);
    const page = await bench.run("messaging.messages.list", { session: "shop", after: "0" });
    expect(page).toMatchObject({ messages: [{ json: { order: 7 } }] });

    const plain = await startMessaging({ reportsCapabilities: false });
    try {
      bench.join({ sessionId, alias: "shop", baseUrl: plain.url });
      expect(await bench.precondition("messaging.messages.send", input)).toMatchObject({ jsonAs: "text" });
      await expect(
        bench.precondition("messaging.messages.send", { ...input, strict: true }),
      ).rejects.toMatchObject({ code: "refused" });
    } finally {
      await plain.close();
    }
  });

  test("a server without /health gets text only", async () => {
    const silent = await serve(json({ error: "not_found" }, 404));
    const asking = createBench({ messaging: silent.origin });
    asking.join({ sessionId, alias: "shop" });
    const input = { session: "shop", json: [1] };
    expect(await asking.precondition("messaging.messages.send", input)).toMatchObject({ jsonAs: "text" });
    await expect(
      asking.precondition("messaging.messages.send", { ...input, strict: true }),
    ).rejects.toMatchObject({ code: "refused" });
  });

  test("a server's formats are requested at most once in five minutes", async () => {
    const health = await serve(json({ capabilities: { messageFormat: ["text", "json"] } }));
    let now = 0;
    const asking = createBench({ messaging: health.origin, monotonic: () => now });
    asking.join({ sessionId, alias: "shop" });
    const asked: number[] = [];
    for (now of [0, 1000, 299_999, 300_000, 599_999, 600_000]) {
      const input = { session: "shop", json: [1] };
      expect(await asking.precondition("messaging.messages.send", input)).toMatchObject({ jsonAs: "json" });
      asked.push(health.requests.length);
    }
    expect(asked).toEqual([1, 1, 1, 2, 2, 3]);
  });

  test("the request has the full session id, our agent id, and the credential without its value", () => {
    const request = bench.request("messaging.messages.send", { session: "shop", text: "a", json: [1n] });
    expect(request).toEqual({
      method: "POST",
      origin: server.url,
      path: `/v1/sessions/${sessionId}/messages`,
      label: "POST /v1/sessions/:id/messages",
      headers: { "x-agent-id": "nexusd" },
      json: { text: "a", json: [1n] },
      credential: sessionCredential(sessionId),
    });
  });

  test("is refused for a session that we have not joined", () => {
    bench.join({ sessionId, alias: "shop", state: "lost" });
    const input = { session: "shop", text: "hi" };
    expect(() => bench.request("messaging.messages.send", input)).toThrow(/its state is lost/);
  });

  test("a server's refusal keeps its code", async () => {
    server.removeAgent(sessionId, "nexusd");
    const sending = bench.run("messaging.messages.send", { session: "shop", text: "hi" });
    const error: HttpError = await sending.then(Promise.reject, (reason) => reason);
    expect(error).toMatchObject({ status: 403, code: "forbidden", maybeSent: true });
  });
});

test("a key that arrives between its refusal and the commit of that is kept", async () => {
  const { sessions } = bench.services.messaging;
  const error = new HttpError({
    ...{ kind: "status", service: "messaging", label: "POST", message: "refused", status: 403 },
    ...{ code: "invalid_session_key", retryable: false, maybeSent: true },
  });
  const input = { session: sessionId, text: "hi" };
  const { refused } = operationNamed("messaging.messages.send");
  const meaning = await refused?.(error, input, bench.factsOf("messaging"), bench.read, async () =>
    bench.factsOf("messaging"),
  );
  // An effect of an operation of messaging.
  const [effect] = (meaning?.kind === "failed" ? (meaning.effects ?? []) : []) as SessionEffect[];
  const current = sessions.get(sessionId) ?? expect.fail();
  const rejoined = { ...current, joinedAt: new Date().toISOString() };
  expect(effect).toMatchObject({ sessionId, sessionKey: null });
  expect(effect?.change(current, 0)?.events).toMatchObject([{ type: "messaging.session.key_refused" }]);
  expect(effect?.change(rejoined, 0)).toBeUndefined();
});

describe("reading back", () => {
  const name = "messaging.messages.send";
  const input = { session: "shop", text: "ping" };

  test("finds JSON that was sent as text", async () => {
    const found = { id: "m", agentId: "nexusd", text: 'ping\n{"n":1}', cursor: "5" };
    const sent = { agentId: "nexusd", text: "ping", json: { n: 1 } };
    expect(findOwn({ messages: [found], nextCursor: "5" }, sent, "4")).toMatchObject({ kind: "done" });
  });

  test("finds a message whose answer was lost", async () => {
    bench.join({ sessionId, alias: "shop", cursor: "0" });
    server.addFault({ kind: "drop", match: "POST", afterHandling: true });
    await expect(bench.run(name, input)).rejects.toMatchObject({ kind: "network", maybeSent: true });
    const finding = await bench.readBack(name, input, Date.now());
    expect(finding).toMatchObject({ kind: "done", output: { messageId: expect.any(String), cursor: "1" } });
  });

  test("reports a message that never arrived as missing", async () => {
    bench.join({ sessionId, alias: "shop", cursor: "0" });
    server.addFault({ kind: "drop", match: "POST" });
    await expect(bench.run(name, input)).rejects.toMatchObject({ maybeSent: true });
    expect(await bench.readBack(name, input, Date.now())).toEqual({ kind: "not_found" });
  });

  test.each([
    ["the same text of somebody else is not ours", { agentId: "peer" }, "0", "not_found"],
    ["another text of ours is not it", { text: "pong" }, "0", "not_found"],
    ["the same text with JSON is not it", { json: 1 }, "0", "not_found"],
    ["one after the cursor is it", {}, "4", "done"],
    ["one from the start is it where nothing was read", {}, null, "done"],
    ["one before the cursor may be an older one", {}, "5", "cannot_tell"],
    ["one may be an older one where the cursor is not known", {}, undefined, "cannot_tell"],
    ["one that the server has censored may be it", { text: "[REDACTED:api_key]" }, "4", "cannot_tell"],
    ["a restarted server has forgotten it, or has it again", {}, "6", "cannot_tell"],
  ])("%s", (_, message, cursor, kind) => {
    const found = { id: "m", agentId: "nexusd", text: "ping", cursor: "5", ...message };
    const sent = { agentId: "nexusd", text: "ping" };
    expect(findOwn({ messages: [found], nextCursor: "5" }, sent, cursor)).toMatchObject({ kind });
  });
});

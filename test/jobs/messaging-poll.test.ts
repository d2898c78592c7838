import { describe, expect, it } from "vitest";
import { has, MINUTE, received, watch } from "./messaging-harness.ts";

describe("messages", () => {
  it("arrive once, in order, the greeting first, without own ones", async () => {
    const { messaging, start } = await watch();
    const session = messaging.createSession({ greeting: "hello" });
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    messaging.post(session, "me", { text: "mine" });
    for (const text of ["one", "two", "two"]) messaging.post(session, "peer", { text });
    messaging.post(session, "peer", { json: { big: 1 } });
    await job.advanceUntil(async () => (await received(job)).length === 5, "five messages");
    messaging.addFault({ kind: "duplicate", match: "/messages", times: 2 });
    messaging.post(session, "peer", { text: "last" });
    await job.advanceUntil(async () => (await received(job)).length === 6, "the last");
    expect(await received(job)).toEqual(["hello", "one", "two", "two", undefined, "last"]);
  });

  it.each(["latest", "echo"] as const)(
    "a restarted server is noticed within two minutes and read from the start (empty page: %s)",
    async (emptyPageCursor) => {
      const { messaging, start, pass } = await watch({ emptyPageCursor });
      const session = messaging.createSession({});
      const job = await start([session]);
      await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
      for (let n = 0; n < 9; n++) messaging.post(session, "peer", { text: `before ${n}` });
      await job.advanceUntil(async () => (await received(job)).length === 9, "what came before");
      await pass(job, 3 * MINUTE, 10_000);
      messaging.forgetMessages();
      messaging.post(session, "peer", { text: "after" });
      await pass(job, 2 * MINUTE, 5000);
      expect((await received(job)).at(-1)).toBe("after");
      expect(await received(job)).toHaveLength(10);
      expect(await job.events("messaging.session.restarted")).toHaveLength(1);
    },
  );
});

describe("a server's lost messages", () => {
  it("an older page that is repeated is not a restart, and nothing is logged twice", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({});
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    const first = messaging.post(session, "peer", { text: "one" });
    messaging.post(session, "peer", { text: "two" });
    await job.advanceUntil(async () => (await received(job)).length === 2, "both");
    const message = { id: first.id, agentId: "peer", text: "one", cursor: first.cursor, verified: true };
    messaging.addFault({
      kind: "status",
      match: "/messages",
      status: 200,
      times: 2,
      body: { messages: [message], nextCursor: first.cursor },
    });
    await pass(job, MINUTE, 5000);
    messaging.post(session, "peer", { text: "three" });
    await job.advanceUntil(async () => (await received(job)).length > 2, "the third");
    expect(await received(job)).toEqual(["one", "two", "three"]);
    expect(await job.events("messaging.session.restarted")).toEqual([]);
  });

  it("a restart is noticed even if the new cursors have passed the old one, for at most 2 % of the budget", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({});
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    messaging.post(session, "peer", { text: "before" });
    await pass(job, 3 * MINUTE, 10_000);
    messaging.requests.length = 0;
    await pass(job, 10 * MINUTE, 10_000);
    const asked = messaging.requests.filter(({ path }) => path === "/health").length;
    expect(asked).toBeLessThanOrEqual(0.02 * 100 * 10);
    messaging.forgetMessages();
    for (const text of ["after one", "after two"]) messaging.post(session, "peer", { text });
    await pass(job, 2 * MINUTE, 5000);
    expect((await received(job)).toSorted()).toEqual(["after one", "after two", "before"]);
    expect((await job.events("messaging.session.restarted")).map(({ data }) => data.generation)).toEqual([2]);
  });

  it("a message of 1 MB and cursors above 2^53 arrive unchanged", async () => {
    const { messaging, start } = await watch();
    const session = messaging.createSession({});
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    messaging.setNextCursor(session, "9007199254740993");
    const text = "ü".repeat(2 ** 19);
    messaging.post(session, "peer", { text });
    await job.advanceUntil(async () => (await received(job)).length === 1, "the large one");
    messaging.post(session, "peer", { text: "next" });
    await job.advanceUntil(async () => (await received(job)).length === 2, "the next");
    const messages = await job.events("messaging.message.received");
    expect(messages.map(({ data }) => data.cursor)).toEqual(["9007199254740993", "9007199254740994"]);
    expect(messages[0]?.data.text).toBe(text);
  });
});

describe("the members of a session", () => {
  it("are reported as agents come and go, without extra requests", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({});
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    await pass(job, MINUTE + 5000, 5000);
    messaging.post(session, "peer", { text: "hi" });
    await pass(job, MINUTE + 5000, 5000);
    messaging.removeAgent(session, "peer");
    await pass(job, MINUTE + 5000, 5000);
    const told = async (type: string) =>
      (await job.events(`messaging.member.${type}`)).map(({ data }) => data.agentId);
    expect(await told("joined")).toEqual(["peer"]);
    expect(await told("left")).toEqual(["peer"]);
    const polls = messaging.requests.filter(({ path }) => path.includes("/messages"));
    expect(polls.filter(({ path }) => path.includes("members=true")).length).toBeLessThan(polls.length / 10);
  });

  it("are not requested if messaging.members is off", async () => {
    const { messaging, start, pass } = await watch({}, "members = false");
    const job = await start([messaging.createSession({})]);
    await pass(job, 2 * MINUTE, 5000);
    expect(messaging.requests.filter(({ path }) => path.includes("members=true"))).toEqual([]);
  });
});

describe("membership", () => {
  it("is restored after removal for inactivity, with the same cursor", async () => {
    const { messaging, start } = await watch();
    const session = messaging.createSession({});
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    messaging.post(session, "peer", { text: "one" });
    await job.advanceUntil(async () => (await received(job)).length === 1, "one");
    messaging.removeAgent(session, "me");
    messaging.post(session, "peer", { text: "two" });
    await job.advanceUntil(async () => (await received(job)).length === 2, "two");
    expect(await received(job)).toEqual(["one", "two"]);
    const joins = (await job.events("messaging.session.joined")).map(({ data }) => data.rejoined);
    expect(joins).toEqual([false, true]);
  });

  it("is renewed before the session ends, and no more often than needed", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: 600 });
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    await pass(job, 60 * MINUTE, 10_000);
    const renewals = await job.events("messaging.session.renewed");
    expect(renewals.length).toBeGreaterThanOrEqual(6);
    expect(renewals.length).toBeLessThanOrEqual(9);
    expect(await job.events("messaging.session.expired")).toEqual([]);
  });

  it("a busy session is not renewed at all, because each message restarts its ttl", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: 600 });
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    for (let minute = 0; minute < 40; minute += 2) {
      messaging.post(session, "peer", { text: `minute ${minute}` });
      await pass(job, 2 * MINUTE, 20_000);
    }
    expect(await job.events("messaging.session.renewed")).toEqual([]);
    expect(await received(job)).toHaveLength(20);
  });

  it("a session that is gone, full or has our name taken ends with its reason, and the others continue", async () => {
    const { messaging, start } = await watch();
    const [gone, full, taken, good] = [
      messaging.createSession({}),
      messaging.createSession({ maxAgents: 1 }),
      messaging.createSession({}),
      messaging.createSession({}),
    ];
    messaging.expireSession(gone);
    messaging.post(full, "somebody", { text: "x" });
    messaging.post(taken, "me", { text: "another me" });
    const job = await start([gone, full, taken, good]);
    messaging.post(good, "peer", { text: "still here" });
    await job.advanceUntil(async () => (await received(job)).includes("still here"), "the good session");
    await job.advanceUntil(async () => (await job.events("messaging.session.lost")).length === 2, "two lost");
    expect((await job.events("messaging.session.expired")).map(({ data }) => data.code)).toEqual([
      "session_not_found",
    ]);
    const lost = (await job.events("messaging.session.lost")).map(({ data }) => data.code);
    expect(lost.sort()).toEqual(["agent_id_taken", "session_full"]);
    expect(job.log()).not.toContain(good);
  });

  it("a session that is refused does not slow the others down", async () => {
    const { messaging, start } = await watch();
    const [bad, good] = [messaging.createSession({}), messaging.createSession({})];
    const job = await start([bad, good]);
    await job.advanceUntil(
      async () => (await job.events("messaging.session.joined")).length === 2,
      "two joins",
    );
    messaging.addFault({
      kind: "status",
      match: `/v1/sessions/${bad}/messages`,
      status: 418,
      times: -1,
      body: {},
    });
    await job.advance(20_000);
    messaging.post(good, "peer", { text: "hello" });
    const from = job.clock.now();
    await job.advanceUntil(async () => (await received(job)).includes("hello"), "hello");
    expect(job.clock.now() - from).toBeLessThan(5000);
    expect(job.job().state).toBe("degraded");
    messaging.clearFaults();
    await job.advanceUntil(() => job.job().state === "ok", "ok again");
  });
});

describe("an unreachable server", () => {
  it("gets no requests if nexusd is in no session", async () => {
    const { messaging, start } = await watch();
    messaging.addFault({ kind: "drop", times: -1 });
    const job = await start([]);
    await job.advance(5 * MINUTE, 500);
    expect(job.job().state).toBe("ok");
    expect(messaging.requests).toEqual([]);
  });

  it("is never reported as ok while nexusd is in a session, and polling resumes when it is back", async () => {
    const { messaging, start } = await watch();
    const sessions = [messaging.createSession({})];
    messaging.addFault({ kind: "drop", times: -1 });
    const job = await start(sessions);
    for (let look = 0; look < 30; look++) {
      await job.advance(5000, 5000);
      expect(job.job().state).not.toBe("ok");
      expect(job.job().lastSuccessAt).toBeNull();
    }
    messaging.clearFaults();
    await job.advanceUntil(() => job.job().state === "ok", "ok when it is back");
    await job.advance(3 * MINUTE, 5000);
    expect(job.job().state).toBe("ok");
  });
});

describe("the budget of 100 requests a minute", () => {
  it("is never exceeded, by the server's own count, and is used", async () => {
    const { messaging, start, pass } = await watch({ rateLimit: 100 });
    const sessions = Array.from({ length: 20 }, () => messaging.createSession({ ttl: 86_400 }));
    const job = await start(sessions);
    await pass(job, 5 * MINUTE, 500);
    expect(messaging.requests.filter(({ status }) => status === 429)).toEqual([]);
    const times = messaging.requests.map(({ at }) => at);
    for (const [index, at] of times.entries()) {
      const last = times[index + 100];
      if (last !== undefined) expect(last - at).toBeGreaterThan(59_000);
    }
    expect(times.length).toBeGreaterThan(5 * 80);
  });

  it("a 429 is obeyed, and polling resumes after it", async () => {
    const { messaging, start, pass } = await watch({ rateLimit: 100 });
    const session = messaging.createSession({});
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    messaging.addFault({
      kind: "status",
      match: "/messages",
      status: 429,
      headers: { "retry-after": "20" },
      body: { error: "rate_limit_exceeded" },
    });
    await job.advanceUntil(() => job.log().includes("rate_limit_exceeded"), "the 429");
    const count = messaging.requests.length;
    await pass(job, 19_000);
    expect(messaging.requests.length).toBe(count);
    messaging.post(session, "peer", { text: "after" });
    await pass(job, 20_000);
    expect(await received(job)).toContain("after");
  });
});

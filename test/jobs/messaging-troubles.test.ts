// Trouble around a session, on the server, on this machine or between them, while messages arrive.

import { describe, expect, it } from "vitest";
import { createFakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/store.ts";
import { has, MINUTE, received, watch } from "./messaging-harness.ts";

const DAY_S = 86_400;
const names = (count: number, prefix: string) => Array.from({ length: count }, (_, n) => `${prefix} ${n}`);

/** Before a restart is noticed, the last messages may arrive first, and the earlier ones after them. */
const inAnyOrder = async (job: Parameters<typeof received>[0]) => (await received(job)).toSorted();

/** A job that is in one session. */
async function inSession(ttl = DAY_S, ...watched: Parameters<typeof watch>) {
  const watching = await watch(...watched);
  const session = watching.messaging.createSession({ ttl });
  const job = await watching.start([session]);
  await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
  await watching.pass(job, 5000);
  const say = (texts: string[]) => {
    for (const text of texts) watching.messaging.post(session, "peer", { text });
  };
  const ask = (what: string) => watching.messaging.requests.filter(({ path }) => path.includes(what));
  return { ...watching, session, job, say, ask };
}

describe("the health of a server", () => {
  it.each([
    ["is not found", { status: 404 }],
    ["is not to be had", { status: 503 }],
    ["is no JSON", { status: 200, body: "<html>" }],
  ])("that %s stops no poll, and a restart is still noticed", async (_name, answer) => {
    const { messaging, job, say, pass } = await inSession(DAY_S, { emptyPageCursor: "echo" });
    say(["before"]);
    await pass(job, MINUTE, 5000);
    messaging.addFault({ kind: "status", match: "GET /health", times: -1, ...answer });
    await pass(job, MINUTE, 5000);
    messaging.forgetMessages();
    say(["after"]);
    await pass(job, 2 * MINUTE, 5000);
    expect(await received(job)).toEqual(["before", "after"]);
    expect(await job.events("messaging.session.restarted")).toHaveLength(1);
  });

  it.each(["latest", "echo"] as const)(
    "without uptime a restart is noticed (%s)",
    async (emptyPageCursor) => {
      const { messaging, job, say, pass } = await inSession(DAY_S, { emptyPageCursor });
      messaging.addFault({ kind: "status", match: "GET /health", status: 200, times: -1, body: {} });
      say(names(3, "before"));
      await pass(job, 3 * MINUTE, 10_000);
      messaging.forgetMessages();
      say(names(5, "after"));
      await pass(job, 2 * MINUTE, 10_000);
      expect(await inAnyOrder(job)).toEqual([...names(5, "after"), ...names(3, "before")]);
      expect(await job.events("messaging.session.restarted")).toHaveLength(1);
    },
  );
});

describe("a restart of the server", () => {
  it.each(["latest", "echo"] as const)(
    "while this machine slept is noticed (%s)",
    async (emptyPageCursor) => {
      const { messaging, serverClock, job, say, pass } = await inSession(DAY_S, { emptyPageCursor });
      say(names(9, "before"));
      await pass(job, 3 * MINUTE, 10_000);
      serverClock.advance(4 * 60 * MINUTE);
      messaging.forgetMessages();
      say(names(12, "after"));
      serverClock.advance(4 * 60 * MINUTE);
      job.clock.jump(8 * 60 * MINUTE);
      await pass(job, 2 * MINUTE, 5000);
      expect(await received(job)).toEqual([...names(9, "before"), ...names(12, "after")]);
      expect(await job.events("messaging.session.restarted")).toHaveLength(1);
    },
  );

  it("after this machine's clock was set back is noticed", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: DAY_S });
    const say = (texts: string[]) => {
      for (const text of texts) messaging.post(session, "peer", { text });
    };
    const clock = createFakeClock(Date.now() + 60 * MINUTE);
    const surroundings = { clock, dataDir: temporaryDirectory() };
    const before = await start([session], surroundings);
    await before.advanceUntil(has(before, "messaging.session.joined"), "the join");
    say(names(9, "before"));
    await pass(before, 3 * MINUTE, 10_000);
    await before.kill();
    clock.jump(-60 * MINUTE);
    const job = await start([session], surroundings);
    await pass(job, 3 * MINUTE, 10_000);
    messaging.forgetMessages();
    say(names(12, "after"));
    await pass(job, 2 * MINUTE, 10_000);
    expect(await inAnyOrder(job)).toEqual([...names(12, "after"), ...names(9, "before")].toSorted());
    expect(await job.events("messaging.session.restarted")).toHaveLength(1);
  });

  it("is not inferred from a corrected clock, and nothing is logged twice", async () => {
    const { job, say, pass } = await inSession();
    say(["one", "one", "two"]);
    await pass(job, 2 * MINUTE, 5000);
    for (const ms of [-60 * MINUTE, 120 * MINUTE, -7000]) {
      job.clock.jump(ms);
      await pass(job, 2 * MINUTE, 5000);
    }
    expect(await received(job)).toEqual(["one", "one", "two"]);
    expect(await job.events("messaging.session.restarted")).toEqual([]);
  });
});

describe("a renewal", () => {
  it("that discovers our removal does not prevent joining again", async () => {
    const { messaging, serverClock, session, job, pass } = await inSession(600);
    for (const text of names(5, "away")) {
      serverClock.advance(100_000);
      messaging.post(session, "peer", { text });
    }
    messaging.removeAgent(session, "me");
    await job.clock.stall(500_000);
    await pass(job, MINUTE, 5000);
    expect(await received(job)).toEqual(names(5, "away"));
    await pass(job, 20 * MINUTE, 10_000);
    expect(await job.events("messaging.session.expired")).toEqual([]);
  });

  it("that is refused delays no message, and is reported", async () => {
    const { messaging, job, say, pass } = await inSession(600);
    const refusal = { status: 400, body: { error: "invalid_request" } };
    messaging.addFault({ kind: "status", match: "/renew", times: -1, ...refusal });
    await pass(job, 460_000, 5000);
    expect(job.job().state).toBe("degraded");
    say(["in the last quarter"]);
    await pass(job, 30_000, 5000);
    expect(await received(job)).toEqual(["in the last quarter"]);
    messaging.clearFaults();
    await pass(job, 10 * MINUTE, 5000);
    expect(job.job().state).toBe("ok");
    expect(await job.events("messaging.session.expired")).toEqual([]);
  });

  it("that fails delays no message and does not stop other sessions' polls", async () => {
    const { messaging, start, pass } = await watch();
    const sessions = Array.from({ length: 20 }, () => messaging.createSession({ ttl: 1800 }));
    const job = await start(sessions);
    await pass(job, MINUTE);
    messaging.addFault({ kind: "status", match: "/renew", times: -1, status: 500 });
    await pass(job, 1_480_000, 5000);
    messaging.requests.length = 0;
    await pass(job, 50_000);
    const polls = messaging.requests.filter(({ path }) => path.includes("/messages"));
    expect(polls.length).toBeGreaterThan(25);
    for (const session of sessions) messaging.post(session, "peer", { text: "in the last minutes" });
    await pass(job, 3 * MINUTE);
    expect(await received(job)).toHaveLength(sessions.length);
  });

  it.each([50_000, -50_000])("is requested as often as needed with a clock off by %i ms", async (offMs) => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: 60 });
    const clock = createFakeClock(Date.now() + offMs);
    const job = await start([session], { clock });
    await pass(job, 10 * MINUTE, 3000);
    messaging.post(session, "peer", { text: "hello" });
    await pass(job, 10_000);
    expect(await received(job)).toEqual(["hello"]);
    const renewals = await job.events("messaging.session.renewed");
    expect(renewals.length).toBeGreaterThan(9);
    expect(renewals.length).toBeLessThan(20);
  });

  it("is on time even if the clock was wrong during the conversation and is then corrected", async () => {
    const { job, say, pass } = await inSession(3600);
    job.clock.jump(40 * MINUTE);
    for (const text of names(10, "talk")) {
      say([text]);
      await pass(job, MINUTE, 20_000);
    }
    job.clock.jump(-40 * MINUTE);
    await pass(job, 80 * MINUTE, MINUTE);
    expect(await job.events("messaging.session.expired")).toEqual([]);
  });

  it("is on time even if the machine slept for a while", async () => {
    const { serverClock, job, pass } = await inSession(3600);
    await pass(job, 40 * MINUTE, MINUTE);
    serverClock.advance(15 * MINUTE);
    job.clock.jump(15 * MINUTE);
    await pass(job, 30 * MINUTE, MINUTE);
    expect(await job.events("messaging.session.expired")).toEqual([]);
  });

  it.each([
    [60, 120],
    [30, 60],
  ])("is on time for each of %i sessions of %i s, within the budget", async (count, ttl) => {
    const { messaging, start, pass } = await watch({ rateLimit: 100 });
    const sessions = Array.from({ length: count }, () => messaging.createSession({ ttl }));
    const job = await start(sessions);
    // Joining them takes longer than one of them lives.
    for (let minute = 0; minute < 3; minute += 0.5) {
      for (const session of sessions) messaging.post(session, "peer", { text: "stay" });
      await pass(job, MINUTE / 2);
    }
    await pass(job, 4 * MINUTE);
    expect(await job.events("messaging.session.expired")).toEqual([]);
    expect(await job.events("messaging.session.joined")).toHaveLength(count);
    expect(messaging.requests.filter(({ status }) => status === 429)).toEqual([]);
    const polls = messaging.requests.filter(({ path }) => path.includes("/messages"));
    expect(polls.length).toBeGreaterThan(4 * 25);
  });
});

describe("an impossible answer", () => {
  it.each([Number.MAX_SAFE_INTEGER, 1e13, -1, 0])("with a lifetime of %d s ends no poll", async (ttl) => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: DAY_S });
    const described = { sessionId: session, agents: [], ttl };
    messaging.addFault({
      kind: "status",
      match: `GET /v1/sessions/${session}`,
      status: 200,
      body: described,
    });
    const job = await start([session]);
    await job.advanceUntil(has(job, "messaging.session.joined"), "the join");
    messaging.post(session, "peer", { text: "hello" });
    await pass(job, 2 * MINUTE, 5000);
    expect(await received(job)).toEqual(["hello"]);
  });

  it("about a session ends no poll: the default lifetime applies", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: DAY_S });
    const describing = `/v1/sessions/${session}`;
    messaging.addFault({ kind: "status", match: `GET ${describing}`, times: 2, status: 418, body: {} });
    const job = await start([session]);
    messaging.post(session, "peer", { text: "hello" });
    await pass(job, 10_000);
    expect(await received(job)).toEqual(["hello"]);
    // Before and after it was joined.
    expect(messaging.requests.filter(({ path }) => path === describing)).toHaveLength(2);
  });

  it("about a session is not waited for: the session is polled, and renewed at once", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: DAY_S });
    const describing = `/v1/sessions/${session}`;
    messaging.addFault({ kind: "status", match: `GET ${describing}`, times: 2, status: 500 });
    const job = await start([session]);
    messaging.post(session, "peer", { text: "hello" });
    await pass(job, 30_000);
    expect(await received(job)).toEqual(["hello"]);
    await pass(job, MINUTE);
    expect(messaging.requests.filter(({ path }) => path === describing)).toHaveLength(2);
    expect(await job.events("messaging.session.renewed")).toHaveLength(1);
  });
});

describe("a message", () => {
  it("whose JSON is too deep to walk arrives without it, and those after it arrive", async () => {
    const { messaging, session, job, say, pass } = await inSession();
    const deep = `${"[".repeat(4000)}12345678901234567890${"]".repeat(4000)}`;
    say(["before"]);
    await fetch(`${messaging.url}/v1/sessions/${session}/messages`, {
      method: "POST",
      headers: { "x-agent-id": "peer", "content-type": "application/json" },
      body: `{"text":"deep","json":${deep}}`,
    });
    say(["behind"]);
    await pass(job, 30_000);
    expect(await received(job)).toEqual(["before", "deep", "behind"]);
    const [, { data } = { data: undefined }] = await job.events("messaging.message.received");
    expect(data).toMatchObject({ text: "deep", jsonOmitted: "nested too deeply" });
    expect(job.job().state).toBe("ok");
  });

  it("does not wait behind a session that is too large to read", async () => {
    const { messaging, start, pass } = await watch();
    const [large, good] = [messaging.createSession({ ttl: DAY_S }), messaging.createSession({ ttl: DAY_S })];
    for (let n = 0; n < 70; n++) messaging.post(large, "peer", { text: "x".repeat(1_000_000) });
    const job = await start([large, good]);
    await pass(job, 60_000);
    const polls = (session: string) =>
      messaging.requests.filter(({ path }) => path.includes(`${session}/messages`)).length;
    expect(polls(large)).toBeLessThan(8);
    expect(polls(good)).toBeGreaterThan(60);
    expect(job.job().state).toBe("degraded");
  });
});

describe("membership", () => {
  it("is not taken from another agent with our name, after a join that was certainly refused", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: DAY_S });
    messaging.post(session, "me", { text: "I am the other me" });
    const refusal = { headers: { "retry-after": "5" }, body: { error: "rate_limit_exceeded" } };
    messaging.addFault({ kind: "status", match: "/join", status: 429, ...refusal });
    const job = await start([session]);
    await pass(job, 30_000);
    expect(await job.events("messaging.session.joined")).toEqual([]);
    expect((await job.events("messaging.session.lost")).map(({ data }) => data.code)).toEqual([
      "agent_id_taken",
    ]);
  });

  it("is not taken from another agent with our name, whatever a proxy says about the join", async () => {
    const { messaging, start, pass } = await watch();
    const session = messaging.createSession({ ttl: DAY_S });
    messaging.post(session, "me", { text: "I am the other me" });
    messaging.addFault({ kind: "html", match: "/join" });
    const job = await start([session]);
    await pass(job, 30_000);
    expect(await job.events("messaging.session.joined")).toEqual([]);
    expect(job.services.messaging.sessions.get(session)?.state).toBe("lost");
  });

  it("that a write is ending does not prove that the server answers, and its last page is kept", async () => {
    const { messaging, session, job, say, pass } = await inSession();
    const { changes, sessions } = job.services.messaging;
    const release = changes.hold(session);
    const { lastSuccessAt } = job.job();
    await pass(job, 10_000);
    expect(job.job().lastSuccessAt).toBe(lastSuccessAt);
    release();

    messaging.addFault({ kind: "stall", match: `${session}/messages`, afterHandling: true });
    say(["last words"]);
    await pass(job, 3000);
    const left = sessions.get(session);
    if (left) sessions.put({ ...left, state: "left" });
    messaging.clearFaults();
    await pass(job, 3000);
    expect(await received(job)).toEqual(["last words"]);
    expect(sessions.get(session)?.state).toBe("left");
  });

  it("that is revoked again and again is restored less and less often, and at once after a quiet time", async () => {
    const { messaging, session, job, say, pass } = await inSession();
    for (let second = 0; second < 120; second++) {
      messaging.removeAgent(session, "me");
      await pass(job, 1000);
    }
    expect((await job.events("messaging.session.joined")).length).toBeLessThan(10);
    expect(job.job().state).toBe("degraded");
    await pass(job, 15 * MINUTE, 10_000);
    expect(job.job().state).toBe("ok");
    messaging.removeAgent(session, "me");
    say(["here again"]);
    await pass(job, 5000);
    expect(await received(job)).toEqual(["here again"]);
  });
});

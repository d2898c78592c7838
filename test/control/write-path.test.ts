// From a proposal to its audit rows, over both sockets, on the real write path: the stories that the API exists for.

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Role } from "../../src/control/context.ts";
import { OWN_USER, startTestControl } from "../support/control.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { ORDER_ID, realWritePath, SESSION_ALIAS, SESSION_ID } from "../support/write-path.ts";

const UPDATE = "nexus.orders.update_status";
const ship = { operation: UPDATE, input: { orderId: ORDER_ID, orderStatus: "shipped" } };
const message = { operation: "messaging.messages.send", input: { session: SESSION_ALIAS, text: "hello" } };

const start = async (
  options: { clock?: FakeClock; policy?: Parameters<typeof realWritePath>[0]["policy"] } = {},
) => {
  const { policy } = options;
  let path: ReturnType<typeof realWritePath> | undefined;
  const control = await startTestControl({
    ...(options.clock && { clock: options.clock }),
    writePath: (store, clock) => {
      path = realWritePath({ store, clock, ...(policy && { policy }) });
      return path;
    },
  });
  const post = (role: Role, path: string, body: unknown = {}) =>
    control.call("POST", `/v1/${path}`, { role, body });
  const propose = async (body: unknown = ship) => {
    const answer = await post("agent", "writes", body);
    expect(answer.status).toBe(202);
    return answer.json;
  };
  const actions = async () =>
    (await control.get("/v1/audit")).json.rows.map(
      ({ action, actor }: { action: string; actor: { via: string } }) => `${action} by ${actor.via}`,
    );
  return { ...control, post, propose, actions, requests: () => path?.requests ?? [] };
};

test("an agent proposes, an operator sees that exact request and approves it by digest, and the audit log records it", async () => {
  const { get, post, propose, actions } = await start();
  const proposed = await propose({ ...ship, reason: "it left at noon", agent: "shipping" });
  expect(proposed).toMatchObject({
    state: "proposed",
    input: ship.input,
    approval: "operator",
    shownAt: null,
  });

  const inbox = (await get("/v1/writes?state=proposed")).json;
  expect(inbox).toMatchObject({ writes: [{ id: proposed.id }], next: null });
  const shown = (await get(`/v1/writes/${proposed.id}`)).json;
  expect(shown.previewText).toContain("PATCH https://api.nexus.aiforstartups.io/rest/v1/orders");
  expect(shown.previewText).toContain('"order_status": "shipped"');
  expect(shown.previewText).toContain("it left at noon");
  expect(shown.precondition).toBe('{"orderNumber":"N-1","orderStatus":"pending"}');

  const { status, json } = await post("operator", `writes/${proposed.id}/approve`, { digest: shown.digest });
  expect(status).toBe(200);
  expect(json).toMatchObject({ state: "approved", decidedBy: { via: "operator.sock", user: OWN_USER } });
  expect(await actions()).toEqual([
    "proposed by agent.sock",
    "shown by operator.sock",
    "approved by operator.sock",
  ]);
  expect((await get("/v1/audit/verify")).json).toMatchObject({ ok: true, rows: 3 });
  expect((await get("/v1/events?type=write.*")).json.events).toMatchObject([
    { type: "nexusd.write.proposed", data: { writeId: proposed.id, agent: "shipping" } },
    { type: "nexusd.write.approved", data: { writeId: proposed.id } },
  ]);
});

test("a write whose body was removed says so, in its answer and its preview", async () => {
  const { get, post, propose, store } = await start();
  const { id, digest } = await propose({ ...ship, reason: "it left at noon", agent: "shipping" });
  await post("operator", `writes/${id}/reject`, { reason: "not yet" });
  await store.removeBodies("9999-01-01T00:00:00.000Z", "2026-05-01T00:00:00.000Z");
  const { status, json } = await get(`/v1/writes/${id}`);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    ...{ state: "rejected", note: "not yet", reason: "it left at noon", agent: "shipping", digest },
    ...{ input: null, request: "", precondition: null, bodyRemovedAt: "2026-05-01T00:00:00.000Z" },
    preview: { method: "REMOVED", body: null },
  });
  expect(json.previewText).toMatch(/were removed at 2026-05-01T00:00:00.000Z.*keep_bodies/s);
  expect(json.previewText).toContain(digest);
  const { writes } = (await get("/v1/writes?view=summary")).json;
  expect(writes).toMatchObject([{ id, bodyRemovedAt: "2026-05-01T00:00:00.000Z" }]);
  expect((await get("/v1/audit")).json.rows).toContainEqual(
    expect.objectContaining({ action: "body_removed", writeId: id }),
  );
});

test("a rejection reaches the agent with its reason, and cannot be proposed again right away", async () => {
  const { get, post, propose } = await start();
  const { id } = await propose();
  await post("operator", `writes/${id}/reject`, { reason: "the customer called" });
  expect((await get(`/v1/writes/${id}`, { role: "agent" })).json).toMatchObject({
    state: "rejected",
    note: "the customer called",
  });
  const { json } = await post("agent", "writes", ship);
  expect(json).toMatchObject({
    ...{ status: 409, code: "recently_rejected" },
    rejection: { writeId: id, at: expect.any(String), reason: "the customer called" },
  });
  expect(json.detail).toContain("the customer called");
});

test("the same idempotency key is the same write, and a conflict with another input", async () => {
  const { post, propose } = await start();
  const first = await propose({ ...ship, idempotencyKey: "k" });
  const again = await post("agent", "writes", { ...ship, idempotencyKey: "k" });
  expect(again).toMatchObject({ status: 200, json: { id: first.id } });
  const other = { ...ship, input: { ...ship.input, orderStatus: "cancelled" }, idempotencyKey: "k" };
  expect((await post("agent", "writes", other)).json).toMatchObject({
    ...{ status: 409, code: "idempotency_conflict", writeId: first.id },
  });
});

test("of 20 operators who decide at once one succeeds, and the others learn what was decided", async () => {
  const { post, propose, actions } = await start();
  const { id, digest } = await propose();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      n % 2 === 0
        ? post("operator", `writes/${id}/approve`, { digest })
        : post("operator", `writes/${id}/reject`, { reason: "no" }),
    ),
  );
  const [won, ...others] = answers.filter(({ status }) => status === 200);
  expect(others).toEqual([]);
  for (const { status, json } of answers)
    if (status !== 200)
      expect(json).toMatchObject({
        ...{ status: 409, code: "write_already_decided" },
        decision: { state: won?.json.state, at: won?.json.decidedAt, via: "operator.sock" },
      });
  expect(await actions()).toHaveLength(2);
});

test("expired, decided and unknown ids are distinguished from each other and from a wrong digest", async () => {
  const clock = createFakeClock();
  const { post, propose } = await start({ clock });
  const [short, decided, open] = [
    await propose({ ...ship, ttl: "1m" }),
    await propose({ ...ship, input: { ...ship.input, orderStatus: "cancelled" } }),
    await propose({ ...ship, input: { ...ship.input, orderStatus: "delivered" } }),
  ];
  await post("operator", `writes/${decided.id}/approve`, { digest: decided.digest });
  await clock.advance(60_000);
  const codes = [];
  for (const { id, digest } of [short, decided, { ...open, digest: decided.digest }, { ...open, id: "none" }])
    codes.push((await post("operator", `writes/${id}/approve`, { digest })).json.code);
  expect(codes).toEqual(["write_expired", "write_already_decided", "digest_mismatch", "write_not_found"]);
  expect((await post("operator", `writes/${open.id}/approve`, { digest: open.digest })).status).toBe(200);
});

describe("a long poll of a write", () => {
  const waiting = async () => {
    const clock = createFakeClock();
    const control = await start({ clock });
    const { id, digest } = await control.propose();
    const poll = control.get(`/v1/writes/${id}?wait=60s`, { role: "agent" });
    while (clock.pending() === 0) await clock.settle();
    return { ...control, clock, poll, id, digest };
  };

  test("returns on the decision", async () => {
    const { poll, post, id, digest } = await waiting();
    await post("operator", `writes/${id}/approve`, { digest });
    expect((await poll).json).toMatchObject({ id, state: "approved" });
  });

  test("returns at its deadline with the state at that time", async () => {
    const { clock, poll } = await waiting();
    await clock.advance(60_000);
    expect((await poll).json).toMatchObject({ state: "proposed" });
  });

  test("returns when the daemon stops", async () => {
    const { poll, stop } = await waiting();
    stop.abort();
    expect((await poll).json).toMatchObject({ state: "proposed" });
  });

  test("leaves nothing behind when its client goes away", async () => {
    const clock = createFakeClock();
    const { get, propose } = await start({ clock });
    const { id } = await propose();
    const gone = new AbortController();
    const options = { role: "agent" as const, signal: gone.signal };
    const polls = Array.from({ length: 20 }, () => get(`/v1/writes/${id}?wait=60s`, options));
    const ended = Promise.allSettled(polls);
    while (clock.pending() < 20) await clock.settle();
    gone.abort();
    await ended;
    while (clock.pending() > 0) await clock.settle();
  });
});

test("a write approved by policy is recorded as such, with the same audit rows", async () => {
  const { propose, actions } = await start();
  expect(await propose(message)).toMatchObject({
    ...{ state: "approved", approval: "auto", decidedBy: { via: "policy", user: null } },
    // What is stored and shown is the session's id, not its alias.
    input: { session: SESSION_ID, text: "hello" },
  });
  expect(await actions()).toEqual(["proposed by agent.sock", "approved by policy"]);
});

test("a write denied by policy is not even stored", async () => {
  const { get, post } = await start({ policy: { "nexus.orders.*": "deny" } });
  expect((await post("agent", "writes", ship)).json).toMatchObject({ status: 403, code: "policy_denied" });
  expect((await get("/v1/writes")).json.writes).toEqual([]);
  const [operation] = (await get("/v1/operations?service=nexus&effect=write")).json.filter(
    ({ name }: { name: string }) => name === UPDATE,
  );
  expect(operation.approval).toBe("deny");
});

test.each([
  [{ operation: "nexus.orders.update_state" }, 404, "operation_not_found", []],
  [{ operation: "nexus.orders.get", input: { orderId: ORDER_ID } }, 400, "not_a_write", []],
  [{ operation: UPDATE }, 400, "invalid_input", ["input.orderId", "input.orderStatus"]],
  [{ operation: UPDATE, input: null }, 400, "invalid_input", ["input"]],
  [{ operation: UPDATE, input: [1] }, 400, "invalid_input", ["input"]],
  [{ ...ship, input: { ...ship.input, force: true } }, 400, "invalid_input", ["input.force"]],
  [{ ...message, input: { session: "nobody", text: "x" } }, 404, "session_not_found", []],
])("proposing %j is %i %s and stores nothing", async (body, status, code, paths) => {
  const { get, post } = await start();
  const { json } = await post("agent", "writes", body);
  expect(json).toMatchObject({ status, code });
  expect((json.errors ?? []).map(({ path }: { path: string }) => path)).toEqual(paths);
  expect((await get("/v1/audit")).json.rows).toEqual([]);
});

test("a read is answered, and a write is refused as a read", async () => {
  const { post } = await start();
  const read = { operation: "nexus.orders.get", input: { orderId: ORDER_ID } };
  expect(await post("agent", "reads", read)).toMatchObject({
    status: 200,
    json: { output: { order: { order_number: "N-1" } }, meta: { service: "nexus" } },
  });
  expect((await post("agent", "reads", ship)).json).toMatchObject({ status: 400, code: "not_a_read" });
});

test("status counts the writes of each state", async () => {
  const { get, post, propose } = await start();
  await propose();
  const { id } = await propose({ ...ship, input: { ...ship.input, orderStatus: "cancelled" } });
  await post("agent", `writes/${id}/cancel`);
  await propose(message);
  expect((await get("/v1/status")).json.writes).toMatchObject({
    proposed: 1,
    cancelled: 1,
    approved: 1,
    unknown: 0,
  });
});

test("a message with a secret is refused with its kind and place, and stores nothing", async () => {
  const { get, post, requests } = await start();
  const secret = `gh${"p_"}${randomBytes(18).toString("hex")}`;
  const bodies = [
    { ...message, input: { session: SESSION_ALIAS, text: `take this:\n${secret}` } },
    { ...message, input: { session: SESSION_ALIAS, json: { env: [{ TOKEN: secret }] } } },
    { operation: "messaging.sessions.create", input: { greeting: secret } },
  ];
  const places = ["input.text", "input.json.env[0].TOKEN", "input.greeting"];
  for (const [index, body] of bodies.entries()) {
    const { status, json, text } = await post("agent", "writes", body);
    expect(status).toBe(422);
    expect(json).toMatchObject({
      code: "secret_in_text",
      errors: [{ path: places[index], message: expect.stringMatching(/\(GITHUB_TOKEN\), at line \d/) }],
    });
    expect(text).not.toContain(secret);
  }
  expect((await get("/v1/writes")).json.writes).toEqual([]);
  expect((await get("/v1/events")).json.events).toEqual([]);
  expect((await get("/v1/audit")).json.rows).toEqual([]);
  expect(requests()).toEqual([]);
});

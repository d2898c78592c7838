// Consumers that are bound to their creator, over real sockets.

import { expect, test } from "vitest";
import { startTestControl } from "../support/control.ts";
import { ORDER_ID, realWritePath } from "../support/write-path.ts";

test("a bound consumer is placed, moved and deleted only with its token, which is shown once; an operator needs none", async () => {
  const { call, append, store } = await startTestControl();
  await append({ type: "service.recovered", source: "/nex", data: { service: "nex", state: "ok" } });
  const made = await call("PUT", "/v1/consumers/mine", {
    role: "agent",
    body: { from: "oldest", bind: true },
  });
  const { token } = made.json;
  expect([made.status, made.json.isBound]).toEqual([201, true]);
  expect(token).toMatch(/^nxd_tok_[\w-]{32}$/);
  const changes = [
    ["PUT", "/v1/consumers/mine", { from: "latest" }],
    ["PUT", "/v1/consumers/mine", { from: "latest", bind: true }],
    ["POST", "/v1/consumers/mine/ack", { sequence: 1 }],
    ["DELETE", "/v1/consumers/mine", undefined],
  ] as const;
  for (const headers of [{}, { "nexusd-token": "nxd_tok_wrong" }, { "nexusd-token": "" }])
    for (const [method, path, body] of changes)
      expect((await call(method, path, { role: "agent", body, headers })).json).toMatchObject({
        ...{ status: 403, code: "token_required" },
      });
  expect((await store.readConsumer("mine"))?.position, "nobody moved it").toBe(0);
  expect(JSON.stringify((await call("GET", "/v1/consumers", { role: "agent" })).json)).not.toContain(token);

  const headers = { "nexusd-token": token };
  const moved = await call("POST", "/v1/consumers/mine/ack", {
    role: "agent",
    body: { sequence: 1 },
    headers,
  });
  expect(moved.json).toMatchObject({ position: 1, isBound: true });
  const again = await call("PUT", "/v1/consumers/mine", { role: "agent", body: { from: "oldest" }, headers });
  expect([again.status, again.json.position, again.json.token]).toEqual([200, 0, undefined]);
  const operator = await call("PUT", "/v1/consumers/mine", { role: "operator", body: { from: "latest" } });
  expect([operator.status, operator.json.isBound]).toEqual([200, true]);
  expect((await call("DELETE", "/v1/consumers/mine", { role: "operator" })).status).toBe(204);
});

test("without bind a consumer stays open to all", async () => {
  const { call } = await startTestControl();
  const made = await call("PUT", "/v1/consumers/ours", { role: "agent", body: { from: "oldest" } });
  expect([made.json.isBound, made.json.token]).toEqual([false, undefined]);
  expect((await call("DELETE", "/v1/consumers/ours", { role: "agent" })).status).toBe(204);
});

test("rejecting many writes needs a filter, a reason and the operators' socket", async () => {
  const { call, writes } = await startTestControl();
  const send = (body: unknown, role: "agent" | "operator" = "operator") =>
    call("POST", "/v1/writes/reject", { role, body });
  expect((await send({ reason: "no" })).json).toMatchObject({ status: 400, code: "invalid_request" });
  expect((await send({ agent: "a" })).json).toMatchObject({ status: 400, errors: [{ path: "reason" }] });
  expect((await send({ agent: "a", reason: "no" }, "agent")).json).toMatchObject({ code: "operator_only" });
  expect((await send({ agent: "a", reason: "no" })).json).toEqual({ count: 0, writes: [] });
  expect(writes.calls.at(-1)?.slice(0, 2)).toEqual(["rejectAll", { agent: "a", dryRun: false }]);
});

test("a bound proposal can be withdrawn over agent.sock only with its token, and over operator.sock without", async () => {
  const { call, get } = await startTestControl({
    writePath: (store, clock) => realWritePath({ store, clock }),
  });
  const propose = async (orderStatus: string, bind: boolean) => {
    const body = {
      operation: "nexus.orders.update_status",
      input: { orderId: ORDER_ID, orderStatus },
      ...(bind && { bind }),
    };
    return (await call("POST", "/v1/writes", { role: "agent", body })).json;
  };
  const cancel = (id: string, role: "agent" | "operator", headers: Record<string, string> = {}) =>
    call("POST", `/v1/writes/${id}/cancel`, { role, headers });

  const { id, token } = await propose("shipped", true);
  for (const headers of [{}, { "nexusd-token": "" }, { "nexusd-token": "nxd_tok_wrong" }])
    expect((await cancel(id, "agent", headers)).json).toMatchObject({ status: 403, code: "token_required" });
  const seen = await get(`/v1/writes/${id}`, { role: "agent" });
  expect(seen.json).toMatchObject({ state: "proposed", isBound: true });
  expect(seen.text).not.toContain(token);
  expect((await cancel(id, "agent", { "nexusd-token": token })).json).toMatchObject({ state: "cancelled" });

  const second = await propose("delivered", true);
  expect(second.token).not.toBe(token);
  expect((await cancel(second.id, "agent", { "nexusd-token": token })).json.code).toBe("token_required");
  expect((await cancel(second.id, "operator")).json).toMatchObject({ state: "cancelled" });

  const free = await propose("confirmed", false);
  expect([free.isBound, free.token]).toEqual([false, undefined]);
  expect((await cancel(free.id, "agent")).json).toMatchObject({ state: "cancelled" });
});

// Writes over the API: what is requested from the write path by whom, the answers, and who may not request it.

import { describe, expect, test } from "vitest";
import { type Write, WriteError, type WriteErrorCode, type Writes } from "../../src/contract/writes.ts";
import type { Role } from "../../src/control/context.ts";
import { OWN_USER, startTestControl } from "../support/control.ts";
import { exampleWrite, scriptedWrites } from "../support/scripted-writes.ts";

const OPERATION = "nexus.orders.update_status";
const proposal = { operation: OPERATION, input: { orderId: "o-1", orderStatus: "shipped" } };
const json = { "content-type": "application/json" };
const digestOf = ({ digest }: { digest: string }) => ({ digest });

/** A write path with one method replaced. */
const scripted = (changes: Partial<Writes>) =>
  startTestControl({ context: { writes: { ...scriptedWrites(), ...changes } } });

describe("proposing", () => {
  test("is 202 with the whole write, and 200 if it already exists", async () => {
    const { call, writes } = await startTestControl();
    const body = { ...proposal, reason: "it left", idempotencyKey: "k-1", agent: "shipping", ttl: "2h" };
    const first = await call("POST", "/v1/writes", { body, role: "agent" });
    expect(first).toMatchObject({
      status: 202,
      json: { state: "proposed", operation: OPERATION, input: proposal.input, agent: "shipping" },
    });
    expect(JSON.parse(first.json.request).input).toEqual(proposal.input);
    const again = await call("POST", "/v1/writes", { body, role: "agent" });
    expect(again).toMatchObject({ status: 200, json: first.json });
    const { ttl: _, ...given } = body;
    expect(writes.calls[0]).toEqual([
      "propose",
      { ...given, ttlMs: 7_200_000 },
      { via: "agent.sock", user: OWN_USER },
    ]);
  });

  test("records the socket that it came by, and ignores any other claim", async () => {
    const { call, writes } = await startTestControl();
    await call("POST", "/v1/writes", { body: proposal, role: "operator" });
    expect(writes.calls[0]?.[2]).toEqual({ via: "operator.sock", user: OWN_USER });
    const actor = { via: "operator.sock", user: "root" };
    const { json } = await call("POST", "/v1/writes", { body: { ...proposal, actor }, role: "agent" });
    expect(json).toMatchObject({ code: "invalid_request", errors: [{ path: "actor" }] });
  });

  test("keeps integers above 2^53 digit for digit, from the body to the answer", async () => {
    const { call } = await startTestControl();
    const raw = `{"operation":"nex.records.update","input":{"recordId":12345678901234567890}}`;
    const { text } = await call("POST", "/v1/writes", { raw, headers: json });
    expect(text).toContain('"input":{"recordId":12345678901234567890}');
    expect(text).toContain(String.raw`"request":"{\"input\":{\"recordId\":12345678901234567890}`);
  });

  test.each([
    [{ operation: undefined }, "operation"],
    [{ operation: "x".repeat(129) }, "operation"],
    [{ reason: "" }, "reason"],
    [{ reason: " \n" }, "reason"],
    [{ reason: "x".repeat(2001) }, "reason"],
    [{ reason: null }, "reason"],
    [{ idempotencyKey: 7 }, "idempotencyKey"],
    [{ idempotencyKey: "x".repeat(257) }, "idempotencyKey"],
    [{ agent: "x".repeat(129) }, "agent"],
    [{ ttl: "59s" }, "ttl"],
    [{ ttl: "31d" }, "ttl"],
    [{ ttl: 60 }, "ttl"],
    [{ state: "approved" }, "state"],
    [{ approve: true }, "approve"],
    [{ digest: "0".repeat(64) }, "digest"],
  ])("with %j is refused with the path of the error, and nothing is proposed", async (changes, path) => {
    const { call, writes } = await startTestControl();
    const { json } = await call("POST", "/v1/writes", { body: { ...proposal, ...changes } });
    expect(json).toMatchObject({ status: 400, code: "invalid_request", errors: [{ path }] });
    expect(writes.calls).toEqual([]);
  });

  test.each([
    ["operation_not_found", 404],
    ["not_a_write", 400],
    ["invalid_input", 400],
    ["policy_denied", 403],
    ["idempotency_conflict", 409],
    ["secret_in_text", 422],
  ] as [WriteErrorCode, number][])("that is refused with %s is %i", async (code, status) => {
    const errors = [{ path: "orderId", message: "is missing" }];
    const propose = async () => Promise.reject(new WriteError(code, "why", { errors }));
    const { call } = await scripted({ propose });
    const { json } = await call("POST", "/v1/writes", { body: proposal, role: "agent" });
    expect(json).toMatchObject({ status, code, detail: "why" });
    expect(json.errors).toEqual([{ path: "input.orderId", message: "is missing" }]);
  });

  test("of a recently rejected write is 409 with the reason and the time", async () => {
    const write = exampleWrite({
      state: "rejected",
      note: "not that customer",
      decidedAt: "2026-01-01T01:00:00.000Z",
    });
    const { call } = await scripted({
      propose: async () => Promise.reject(new WriteError("recently_rejected", "why", { write })),
    });
    const { json } = await call("POST", "/v1/writes", { body: proposal, role: "agent" });
    expect(json).toMatchObject({
      status: 409,
      code: "recently_rejected",
      rejection: { writeId: write.id, at: "2026-01-01T01:00:00.000Z", reason: "not that customer" },
    });
  });
});

describe("reading", () => {
  test("shows one write completely, with the request as text", async () => {
    const { get, writes } = await startTestControl();
    const write = writes.add({ state: "failed", result: { error: { code: "stale", message: "moved on" } } });
    const { json } = await get(`/v1/writes/${write.id}`, { role: "agent" });
    expect(json).toEqual({
      ...write,
      input: proposal.input,
      previewText: expect.any(String),
      signing: null,
    });
    expect(json.previewText).toContain(write.preview.url);
  });

  test("records when an operator has seen the write, and ignores agents", async () => {
    const { call, get, writes } = await startTestControl();
    const { id } = writes.add();
    await get(`/v1/writes/${id}`, { role: "agent" });
    await get("/v1/writes", { role: "operator" });
    expect((await call("HEAD", `/v1/writes/${id}`)).status).toBe(405);
    expect(writes.calls).toEqual([]);
    expect((await get(`/v1/writes/${id}`, { role: "operator" })).json.shownAt).not.toBeNull();
    expect(writes.calls).toEqual([["show", id, { via: "operator.sock", user: OWN_USER }]]);
  });

  test("waits for the state to change", async () => {
    const asked: unknown[] = [];
    const write = exampleWrite();
    const { get } = await scripted({
      get: async () => write,
      waitFor: async (id, state, ms) => {
        asked.push([id, state, ms]);
        return { ...write, state: "rejected" };
      },
    });
    const { json } = await get(`/v1/writes/${write.id}?wait=30s`, { role: "agent" });
    expect(json.state).toBe("rejected");
    expect(asked).toEqual([[write.id, "proposed", 30_000]]);
  });

  test.each(["the client goes", "the daemon stops"])("stops waiting when %s", async (which) => {
    const begun = Promise.withResolvers<AbortSignal>();
    const ended = Promise.withResolvers<Write>();
    const write = exampleWrite();
    const { get, stop } = await scripted({
      get: async () => write,
      waitFor: (_id, _state, _ms, signal) => {
        begun.resolve(signal);
        signal.addEventListener("abort", () => ended.resolve(write));
        return ended.promise;
      },
    });
    const gone = new AbortController();
    const options = { role: "agent" as const, signal: gone.signal };
    const answer = get(`/v1/writes/${write.id}?wait=60s`, options).catch(() => undefined);
    await begun.promise;
    (which === "the client goes" ? gone : stop).abort();
    await ended.promise;
    expect((await answer)?.status).toBe(which === "the client goes" ? undefined : 200);
  });

  test("pages through all writes, the newest first, and says when there are no more", async () => {
    const { get, writes } = await startTestControl();
    const ids = Array.from({ length: 5 }, () => writes.add().id).toReversed();
    const met: string[] = [];
    let after = "";
    let pages = 0;
    for (let next: string | null = ""; next !== null; pages++) {
      const { json } = await get(`/v1/writes?limit=2${after}`, { role: "agent" });
      met.push(...json.writes.map(({ id }: Write) => id));
      next = json.next;
      after = `&after=${next}`;
    }
    expect(met).toEqual(ids);
    expect(pages).toBe(3);
  });

  test("lists by state, with the input of each write", async () => {
    const { get, writes } = await startTestControl();
    writes.add({ state: "rejected" });
    const wanted = [writes.add(), writes.add({ state: "unknown" })];
    const { json } = await get("/v1/writes?state=proposed,unknown");
    expect(json.writes).toEqual(wanted.toReversed().map((write) => ({ ...write, input: proposal.input })));
    expect((await get("/v1/writes?state=proposed&state=unknown")).json).toEqual(json);
  });

  test.each([
    ["writes?state=open", 400, "state[0]"],
    ["writes?state=", 400, "state[0]"],
    ["writes?limit=0", 400, "limit"],
    ["writes?colour=red", 400, "colour"],
    ["writes?after=none", 404, undefined],
    ["writes/none", 404, undefined],
    ["writes/none?wait=30s", 404, undefined],
    ["writes/none?wait=61s", 400, "wait"],
    ["writes/%00", 404, undefined],
  ])("GET /v1/%s is %i", async (path, status, field) => {
    const { get } = await startTestControl();
    const { json } = await get(`/v1/${path}`);
    expect(json).toMatchObject({ status, code: status === 404 ? "write_not_found" : "invalid_request" });
    if (field) expect(json.errors).toMatchObject([{ path: field }]);
  });
});

test("both sockets can cancel", async () => {
  const { call, writes } = await startTestControl();
  for (const role of ["agent", "operator"] as const) {
    const { id } = writes.add();
    const answer = await call("POST", `/v1/writes/${id}/cancel`, { role });
    expect(answer).toMatchObject({
      status: 200,
      json: { id, state: "cancelled", decidedBy: { via: `${role}.sock` } },
    });
  }
});

describe("an operator", () => {
  const operator = { via: "operator.sock", user: OWN_USER };

  test("approves by digest", async () => {
    const { call, writes } = await startTestControl();
    const write = writes.add();
    const body = { ...digestOf(write), note: "fine" };
    expect(await call("POST", `/v1/writes/${write.id}/approve`, { body })).toMatchObject({
      status: 200,
      json: { state: "approved", decidedBy: operator, note: "fine" },
    });
    expect(writes.calls).toEqual([["approve", write.id, write.digest, operator, "fine"]]);
  });

  test("rejects with a reason", async () => {
    const { call, writes } = await startTestControl();
    const { id } = writes.add();
    expect(await call("POST", `/v1/writes/${id}/reject`, { body: { reason: "no" } })).toMatchObject({
      status: 200,
      json: { state: "rejected", note: "no" },
    });
    expect(writes.calls).toEqual([["reject", id, "no", operator]]);
  });

  test("resolves what is unknown", async () => {
    const { call, writes } = await startTestControl();
    const { id } = writes.add({ state: "unknown" });
    const body = { outcome: "failed", note: "it is not there" };
    expect(await call("POST", `/v1/writes/${id}/resolve`, { body })).toMatchObject({
      status: 200,
      json: { state: "resolved", outcome: "failed", note: "it is not there" },
    });
    expect(writes.calls).toEqual([["resolve", id, "failed", "it is not there", operator]]);
  });

  const digest = "0".repeat(64);
  test.each<[string, unknown, string]>([
    ["approve", undefined, "body"],
    ["approve", {}, "digest"],
    ["approve", { digest: "0".repeat(63) }, "digest"],
    ["approve", { digest: "A".repeat(64) }, "digest"],
    ["approve", { digest: [digest] }, "digest"],
    ["approve", { digest, note: "" }, "note"],
    ["approve", { digest, force: true }, "force"],
    ["reject", {}, "reason"],
    ["reject", { reason: " " }, "reason"],
    ["reject", { reason: "x".repeat(2001) }, "reason"],
    ["resolve", { outcome: "unknown", note: "x" }, "outcome"],
    ["resolve", { outcome: "failed" }, "note"],
    ["cancel", { reason: "x" }, "reason"],
  ])("%s with %j is refused with its path", async (action, body, path) => {
    const { call, writes } = await startTestControl();
    const { id } = writes.add();
    const { json } = await call("POST", `/v1/writes/${id}/${action}`, { body });
    expect(json).toMatchObject({ status: 400, code: "invalid_request", errors: [{ path }] });
    expect(writes.calls).toEqual([]);
  });

  test.each([
    ["write_not_found", 404],
    ["write_expired", 409],
    ["write_already_decided", 409],
    ["write_not_unknown", 409],
    ["digest_mismatch", 409],
    ["policy_denied", 403],
  ] as [WriteErrorCode, number][])("is refused with %s as %i", async (code, status) => {
    const refuse = async () => Promise.reject(new WriteError(code, "why"));
    const { call } = await scripted({ approve: refuse, reject: refuse, resolve: refuse, cancel: refuse });
    for (const [action, body] of [
      ["approve", { digest }],
      ["reject", { reason: "x" }],
      ["resolve", { outcome: "failed", note: "x" }],
      ["cancel", {}],
    ] as const) {
      const { json } = await call("POST", `/v1/writes/w/${action}`, { body });
      expect(json, action).toMatchObject({ status, code, detail: "why" });
    }
  });

  test("a second decision is refused with what was decided, when and how", async () => {
    const { call, writes } = await startTestControl();
    const { id } = writes.add();
    await call("POST", `/v1/writes/${id}/reject`, { body: { reason: "too early" } });
    const { json } = await call("POST", `/v1/writes/${id}/approve`, { body: digestOf(exampleWrite()) });
    expect(json).toMatchObject({
      status: 409,
      code: "write_already_decided",
      writeId: id,
      decision: {
        state: "rejected",
        at: "2026-01-01T01:00:00.000Z",
        via: "operator.sock",
        note: "too early",
      },
    });
  });
});

describe("nothing can be decided on agent.sock", () => {
  test.each(["approve", "reject", "resolve"])("%s is refused before its body is read", async (action) => {
    const { call, writes } = await startTestControl();
    const write = writes.add({ state: action === "resolve" ? "unknown" : "proposed" });
    for (const options of [
      { body: { ...digestOf(write), reason: "x", outcome: "succeeded", note: "x" } },
      { raw: "{", headers: json },
      { raw: "x".repeat(2 ** 21), headers: { "content-type": "text/plain" } },
      {},
    ])
      for (const id of [write.id, "none"]) {
        const answer = await call("POST", `/v1/writes/${id}/${action}`, { ...options, role: "agent" });
        expect(answer.json).toMatchObject({ status: 403, code: "operator_only" });
      }
    expect(writes.calls).toEqual([]);
    expect(writes.all.get(write.id)).toEqual(write);
  });
});

test("answers about a write are the same on both sockets, except for what only one may do", async () => {
  const { call, writes } = await startTestControl();
  const { id } = writes.add({ shownAt: "2026-01-01T00:30:00.000Z" });
  const both = async (method: string, path: string) => {
    const answers = (["agent", "operator"] as Role[]).map((role) => call(method, path, { role }));
    return (await Promise.all(answers)).map(({ text }) => text);
  };
  for (const path of [`/v1/writes/${id}`, "/v1/writes", "/v1/operations"]) {
    const [agent, operator] = await both("GET", path);
    expect(agent).toBe(operator);
  }
});

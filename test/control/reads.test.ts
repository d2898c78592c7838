// Operations and reads: the catalogue, a service's answer, and its failures reported without its words.

import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { WriteError, type WriteErrorCode } from "../../src/contract/writes.ts";
import { HttpError, type HttpErrorDetails } from "../../src/http/errors.ts";
import { OperationError, type OperationErrorCode } from "../../src/services/operation.ts";
import { type CallOptions, startTestControl, updateOrderStatus } from "../support/control.ts";

const reading = (run: (input: unknown, signal: AbortSignal) => Promise<unknown>) =>
  startTestControl({
    context: {
      reads: {
        run: async (_name, input, signal) => ({
          output: await run(input, signal),
          service: "nexus",
          durationMs: 12.5,
          waitedMs: 40,
        }),
      },
    },
  });
const failing = (error: Error) => reading(async () => Promise.reject(error));
const body = { operation: "nexus.orders.get", input: {} };
const read = { body, role: "agent" } as const;

describe("operations", () => {
  test("are listed unchanged on both sockets", async () => {
    const { get } = await startTestControl();
    for (const role of ["agent", "operator"] as const)
      expect(await get("/v1/operations", { role })).toMatchObject({ status: 200, json: [updateOrderStatus] });
  });

  test("are filtered by service and effect", async () => {
    const { get, state } = await startTestControl({ context: {} });
    state.operations = [
      { ...updateOrderStatus, name: "nexus.orders.get", effect: "read", approval: null },
      updateOrderStatus,
      { ...updateOrderStatus, name: "nex.lists.create", service: "nex" },
    ];
    const names = async (query: string) =>
      (await get(`/v1/operations?${query}`)).json.map(({ name }: { name: string }) => name);
    expect(await names("service=nexus")).toEqual(["nexus.orders.get", "nexus.orders.update_status"]);
    expect(await names("effect=write")).toEqual(["nexus.orders.update_status", "nex.lists.create"]);
    expect(await names("effect=read&service=nex")).toEqual([]);
    for (const [query, path] of [
      ["service=other", "service"],
      ["effect=both", "effect"],
      ["name=x", "name"],
    ])
      expect((await get(`/v1/operations?${query}`)).json).toMatchObject({ status: 400, errors: [{ path }] });
  });
});

describe("a read", () => {
  test("returns its output, its service and its duration", async () => {
    const { call } = await reading(async () => ({ id: "o-1" }));
    expect(await call("POST", "/v1/reads", read)).toMatchObject({
      status: 200,
      json: { output: { id: "o-1" }, meta: { service: "nexus", durationMs: 12.5, waitedMs: 40 } },
    });
  });

  test("carries integers above 2^53 digit for digit, both ways", async () => {
    const { call } = await reading(async (input) => input);
    const raw = '{"operation":"nex.records.get","input":{"recordId":12345678901234567890}}';
    const headers = { "content-type": "application/json" };
    const { text } = await call("POST", "/v1/reads", { raw, headers });
    expect(text).toContain('"output":{"recordId":12345678901234567890}');
  });

  test("without an input has an empty one", async () => {
    const { call } = await reading(async (input) => input);
    const { json } = await call("POST", "/v1/reads", { body: { operation: "nexus.orders.list" } });
    expect(json.output).toEqual({});
  });

  test.each([
    [{}, ["operation"]],
    [{ operation: 1 }, ["operation"]],
    [{ operation: "a", inputs: {} }, ["inputs"]],
    [[], ["body"]],
  ])("with the body %j is refused with the path of the error", async (body, paths) => {
    const { call } = await startTestControl();
    const { json } = await call("POST", "/v1/reads", { body });
    expect(json).toMatchObject({ status: 400, code: "invalid_request" });
    expect(json.errors.map(({ path }: { path: string }) => path)).toEqual(paths);
  });

  test("is cancelled when its caller hangs up", async () => {
    const seen = Promise.withResolvers<AbortSignal>();
    const { call } = await reading((_input, signal) => {
      seen.resolve(signal);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const gone = new AbortController();
    const options: CallOptions = { ...read, signal: gone.signal };
    const answer = call("POST", "/v1/reads", options).catch(() => "gone");
    const signal = await seen.promise;
    expect(signal.aborted).toBe(false);
    gone.abort();
    expect(await answer).toBe("gone");
    while (!signal.aborted) await nextTurn();
  });

  test("is cancelled when the daemon stops, and the answer says so", async () => {
    const begun = Promise.withResolvers<void>();
    const { call, logged, stop } = await reading((_input, signal) => {
      begun.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const answer = call("POST", "/v1/reads", read);
    await begun.promise;
    stop.abort();
    expect((await answer).json).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(logged.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });

  test.each([
    ["operation_not_found", 404],
    ["not_a_read", 400],
    ["invalid_input", 400],
  ] as [WriteErrorCode, number][])("that the catalogue refuses with %s is %i", async (code, status) => {
    const errors = [{ path: "orderId", message: "is missing" }];
    const { call } = await failing(new WriteError(code, "why", { errors }));
    const { json } = await call("POST", "/v1/reads", read);
    expect(json).toMatchObject({ status, code, detail: "why" });
    expect(json.errors).toEqual([{ path: "input.orderId", message: "is missing" }]);
  });

  test.each([
    ["session_not_found", 404, "session_not_found"],
    ["ambiguous_session", 409, "ambiguous_session"],
    ["service_unavailable", 503, "service_unavailable"],
    ["service_disabled", 409, "service_disabled"],
    ["no_row_matched", 404, "row_not_found"],
    ["refused", 409, "operation_refused"],
  ] as [OperationErrorCode, number, string][])("that fails with %s is %i %s", async (from, status, code) => {
    const { call } = await failing(new OperationError(from, "why"));
    expect((await call("POST", "/v1/reads", read)).json).toMatchObject({ status, code, detail: "why" });
  });

  const failure: HttpErrorDetails = {
    kind: "status",
    service: "nexus",
    label: "GET /rest/v1/orders",
    message: "nexus: GET /rest/v1/orders answered 500",
    status: 500,
    code: "PGRST000",
    retryable: false,
    maybeSent: true,
    headers: { authorization: "Bearer sk-secret" },
    body: { message: "sk-secret" },
    cause: new Error("sk-secret"),
  };
  const { status: _, ...unanswered } = failure;
  const named = { detail: "nexus: GET /rest/v1/orders answered 500: PGRST000" };

  test.each<[string, HttpErrorDetails, number, string, object]>([
    ["answers 500", failure, 502, "service_error", named],
    ["answers 404", { ...failure, status: 404 }, 502, "service_error", named],
    ["answers 404 without a code", { ...failure, status: 404, code: "http_404" }, 502, "service_error", {}],
    ["answers 401", { ...failure, status: 401 }, 502, "service_error", named],
    ["answers 503", { ...failure, status: 503 }, 502, "service_error", named],
    [
      "answers 429",
      { ...failure, status: 429, retryAfterMs: 1 },
      503,
      "service_busy",
      { serviceStatus: 429 },
    ],
    ["cannot be reached", { ...unanswered, kind: "network", code: "dns_failed" }, 502, "service_error", {}],
    ["answers no JSON", { ...failure, kind: "invalid_body", status: 200 }, 502, "service_error", {}],
    ["answers too much", { ...unanswered, kind: "too_large" }, 502, "service_error", {}],
    ["does not answer", { ...unanswered, kind: "timeout", code: "timeout" }, 504, "service_timeout", {}],
    ["has no place", { ...unanswered, kind: "timeout", code: "budget_timeout" }, 503, "service_busy", {}],
    ["is stopping", { ...unanswered, kind: "aborted" }, 503, "service_unavailable", {}],
    ["cannot carry it", { ...unanswered, kind: "invalid_request" }, 400, "invalid_input", {}],
  ])("of a service that %s returns its code and status, and nothing else of its answer", async (...row) => {
    const [, details, status, code, members] = row;
    const { call, logged } = await failing(new HttpError(details));
    const answer = await call("POST", "/v1/reads", read);
    expect(answer.json).toEqual({
      type: `urn:nexusd:problem:${code}`,
      title: expect.any(String),
      detail: details.message,
      service: "nexus",
      serviceCode: details.code,
      ...(details.status !== undefined && { serviceStatus: details.status }),
      ...{ status, code },
      ...members,
    });
    expect(answer.headers["retry-after"]).toBe(details.retryAfterMs === undefined ? undefined : "1");
    expect(JSON.stringify([answer, logged])).not.toContain("secret");
  });
});

import { PostgrestClient } from "@supabase/postgrest-js";
import { describe, expect, test } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { toFetch } from "../../src/http/fetch.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { type Behaviour, html, json, serve, stallBody } from "../support/http-server.ts";

const TIMEOUT_MS = 5000;

/** A client as a service's client makes one, against a server that behaves as told. */
async function setUp(behaviour: Behaviour) {
  const clock = createFakeClock();
  const server = await serve(behaviour);
  const client = createHttpClient({
    service: "nexus",
    origin: server.origin,
    clock,
    timeoutMs: TIMEOUT_MS,
    maxBytes: 1_000_000,
    userAgent: "nexusd/test",
    credential: async () => ({ apikey: "anon" }),
  });
  const fetch = toFetch(client, (method, url) => `${method} ${url.pathname}`);
  const rest = new PostgrestClient(`${server.origin}/rest/v1`, { fetch, retry: false });
  return { clock, server, fetch, rest };
}

const reason = (answer: PromiseLike<unknown>) =>
  answer.then(
    () => "it did not fail",
    (error: unknown) => error,
  );

describe("postgrest-js on the adapter", () => {
  test("gets its rows and its count", async () => {
    const { rest, server } = await setUp(json([{ id: 1 }], 206, { "content-range": "0-0/7" }));
    const { data, count } = await rest
      .from("orders")
      .select("id", { count: "exact" })
      .eq("id", 1)
      .throwOnError();
    expect(data).toEqual([{ id: 1 }]);
    expect(count).toBe(7);
    expect(server.requests).toMatchObject([
      {
        method: "GET",
        url: "/rest/v1/orders?select=id&id=eq.1",
        headers: { apikey: "anon", prefer: "count=exact" },
      },
    ]);
  });

  test("writes with its body, and may get nothing back", async () => {
    const { rest, server } = await setUp((response) => response.writeHead(204).end());
    await rest.from("orders").update({ order_status: "paid" }).eq("id", 1).throwOnError();
    expect(server.requests).toMatchObject([
      {
        method: "PATCH",
        body: '{"order_status":"paid"}',
        headers: { "content-type": "application/json", "content-length": "23" },
      },
    ]);
  });

  test("takes an empty 404 for the failure that it is", async () => {
    const { rest } = await setUp((response) => response.writeHead(404).end());
    const error = await reason(rest.from("orders").select().throwOnError());
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({
      kind: "status",
      status: 404,
      code: "http_404",
      label: "GET /rest/v1/orders",
    });
    const counted = await reason(
      rest.from("orders").select("*", { head: true, count: "exact" }).throwOnError(),
    );
    expect(counted).toMatchObject({ kind: "status", status: 404 });
  });

  test("hands on the code of PostgREST", async () => {
    const body = { code: "42501", message: "permission denied", details: null, hint: null };
    const { rest } = await setUp(json(body, 403));
    const error = await reason(rest.from("orders").select().throwOnError());
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 403, code: "42501", body });
  });

  test("hands on the Retry-After of a 429, and does not retry by itself", async () => {
    const { rest, server } = await setUp(
      json({ error: "rate_limit_exceeded" }, 429, { "retry-after": "30" }),
    );
    const error = await reason(rest.from("orders").select().throwOnError());
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ code: "rate_limit_exceeded", retryAfterMs: 30_000, retryable: true });
    expect(server.requests).toHaveLength(1);
  });

  test("ends at the deadline where the body stalls", async () => {
    const { rest, clock, server } = await setUp(stallBody());
    const outcome = reason(rest.from("orders").select().throwOnError());
    await server.arrived(1);
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toBeInstanceOf(HttpError);
    expect(await outcome).toMatchObject({ kind: "timeout", maybeSent: true });
  });

  test.each([
    [502, { kind: "status", code: "http_502", retryable: true }],
    [200, { kind: "invalid_body", code: "invalid_json" }],
  ])("says nothing of the page of a proxy that comes with %d", async (status, expected) => {
    const { rest } = await setUp(html(status));
    const error = await reason(rest.from("orders").select().throwOnError());
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject(expected);
    expect(String(error)).not.toContain("proxy");
  });

  test("stops with the signal of its caller", async () => {
    const { rest, server } = await setUp(stallBody());
    const controller = new AbortController();
    const outcome = reason(rest.from("orders").select().abortSignal(controller.signal).throwOnError());
    await server.arrived(1);
    controller.abort();
    expect(await outcome).toMatchObject({ kind: "aborted" });
  });
});

describe("the adapter", () => {
  test("sends nothing to another origin", async () => {
    const { fetch } = await setUp(json({}));
    const other = await serve(json({}));
    await expect(fetch(`${other.origin}/rest/v1/orders`)).rejects.toThrow(TypeError);
    expect(other.requests).toEqual([]);
  });

  test("takes only what it can send unchanged", async () => {
    const { fetch, server } = await setUp(json({}));
    const url = `${server.origin}/x`;
    await expect(fetch(new Request(url))).rejects.toThrow(TypeError);
    await expect(fetch(url, { method: "POST", body: new Uint8Array(1) })).rejects.toThrow(TypeError);
    await expect(fetch(url, { method: "TRACE" })).rejects.toThrow(TypeError);
    expect(server.requests).toEqual([]);
  });

  test("leaves text alone where text is asked for", async () => {
    const { fetch, server } = await setUp((response) => response.end("id\n1\n"));
    const response = await fetch(new URL("/rest/v1/orders", server.origin), {
      headers: { accept: "text/csv" },
    });
    expect(await response.text()).toBe("id\n1\n");
  });
});

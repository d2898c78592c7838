// The known defects of @supabase/postgrest-js, and proof that the Nexus client has none of them.

import { describe, expect, it } from "vitest";
import { HttpError } from "../../../src/http/errors.ts";
import type { RowQuery } from "../../../src/services/nexus/query.ts";
import { connect, TIMEOUT_MS } from "../../jobs/nexus-harness.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { type Behaviour, closedOrigin, html, json, serve, stallBody } from "../../support/http-server.ts";

const TOKEN = json({ access_token: "t", organization_id: "o" });
const QUERY: RowQuery = { table: "orders", select: "id", filters: [] };

async function setUp(behaviour: Behaviour) {
  const clock = createFakeClock();
  const server = await serve((response, request, index) =>
    (request.url.includes("agent-auth") ? TOKEN : behaviour)(response, request, index),
  );
  const client = connect(server.origin, clock);
  const controller = new AbortController();
  const outcome = client.read(QUERY, controller.signal).catch((error: unknown) => error);
  return { clock, server, client, controller, outcome };
}

describe("compared with postgrest-js", () => {
  it("1: it hangs for ever on a body that stalls after its headers; here the deadline ends the request", async () => {
    const { clock, server, outcome } = await setUp(stallBody());
    await server.arrived(2);
    await clock.advance(TIMEOUT_MS);
    expect(await outcome).toBeInstanceOf(HttpError);
    expect(await outcome).toMatchObject({ kind: "timeout", retryable: true });
  });

  it('2: it leaves " and \\ in a list unescaped and finds nothing; here they are escaped', async () => {
    const { server, client } = await setUp(json([]));
    const values = ['… "quote" …', "back\\slash"];
    await client.read(
      { ...QUERY, filters: [{ column: "notes", operator: "in", value: values }] },
      AbortSignal.timeout(60_000),
    );
    const asked = new URL(server.requests.at(-1)?.url ?? "", server.origin).searchParams.get("notes");
    expect(asked).toBe('in.("… \\"quote\\" …","back\\\\slash")');
  });

  it("3: it takes an empty 404 for success; here it is a failure", async () => {
    const { outcome } = await setUp((response) => response.writeHead(404).end());
    expect(await outcome).toMatchObject({ name: "HttpError", kind: "status", status: 404, retryable: false });
  });

  it("4: it drops Retry-After; here it is kept, and nothing is sent again behind our back", async () => {
    const { outcome, server } = await setUp(
      json({ error: "rate_limit_exceeded" }, 429, { "retry-after": "30" }),
    );
    expect(await outcome).toMatchObject({
      code: "rate_limit_exceeded",
      retryAfterMs: 30_000,
      retryable: true,
    });
    expect(server.requests).toHaveLength(2);
  });

  it.each([200, 500, 502])(
    "5: it uses a page of HTML as its message; here the page is not quoted (%d)",
    async (status) => {
      const { outcome } = await setUp(html(status));
      expect(await outcome).toBeInstanceOf(HttpError);
      expect(String(await outcome)).not.toContain("proxy");
    },
  );

  it("5: it loses the vendor's own error codes; here they are the code", async () => {
    const { outcome } = await setUp(json({ error: "insufficient_scope", message: "…" }, 403));
    expect(await outcome).toMatchObject({ status: 403, code: "insufficient_scope" });
  });

  it("6: it returns status 0 without a connection or after an abort; here the request fails", async () => {
    const nobody = connect(await closedOrigin());
    await expect(nobody.read(QUERY, AbortSignal.timeout(60_000))).rejects.toMatchObject({
      kind: "network",
      code: "connection_refused",
    });
    const { server, controller, outcome } = await setUp(stallBody());
    await server.arrived(2);
    controller.abort(new Error("stopping"));
    expect(await outcome).toBeInstanceOf(Error);
  });

  it.each([
    [{}],
    [null],
    ["rows"],
    [[{ name: "no id" }]],
    [[null]],
    [[{ id: null }]],
    [{ error: "in a 200" }],
  ])("7: it returns any body of a 200; here only rows are rows: %j", async (body) => {
    const { outcome } = await setUp(json(JSON.stringify(body)));
    expect(await outcome).toMatchObject({ kind: "invalid_body", code: "unexpected_shape" });
  });
});

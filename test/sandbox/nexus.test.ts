/** The Nexus stand-in follows what is known of Nexus and of PostgREST behind Supabase's gateway. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PostgrestClient } from "@supabase/postgrest-js";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../sandbox/clock.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import { startDatabase } from "../../sandbox/nexus-database.ts";
import { startNexusLife } from "../../sandbox/nexus-life.ts";
import { openTokens } from "../../sandbox/nexus-tokens.ts";

const keys = { apiKey: "nxs_ak_test", anonKey: "sb_publishable_test" };
const mainProgram = fileURLToPath(new URL("../../sandbox/main.ts", import.meta.url));
const jwtSecret = "a-made-up-secret-of-more-than-32-characters";
/** Visible rows of call_logs, of which PostgREST gives 100 at most. */
const callCount = 250;

/** With the seed and without a limit. */
let nexus: NexusServer;
let token: string;
/** Empty, with the usual limit, a clock to move, and the error codes of PostgREST 14. */
let other: NexusServer;
const clock = systemClock();

beforeAll(async () => {
  [nexus, other] = await Promise.all([
    startNexus({ ...keys, rateLimit: null }),
    startNexus({ ...keys, clock, seed: false, variant: "14" }),
  ]);
  await nexus.sql(
    `insert into call_logs (organization_id, call_date, caller_number, called_number)
     select $1, now(), '+20', '+20' from generate_series(2, $2::int)`,
    [nexus.organizationId, callCount],
  );
  token = (await exchange(nexus)).body.access_token;
});
afterAll(async () => {
  await Promise.all([nexus.close(), other.close()]);
});
afterEach(() => {
  nexus.clearFaults();
  // Beyond every limit.
  clock.advance(61_000);
});

async function exchange(server: NexusServer, apiKey: string = keys.apiKey) {
  const response = await fetch(`${server.url}/functions/v1/agent-auth`, {
    method: "POST",
    body: JSON.stringify({ api_key: apiKey }),
  });
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

interface Options {
  server?: NexusServer;
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** A request for data with both credentials, except those that `headers` sets to the empty string. */
async function rest(path: string, { server = nexus, method = "GET", headers = {}, body }: Options = {}) {
  const credentials = { apikey: keys.anonKey, authorization: `Bearer ${token}` };
  const sent = Object.entries({ ...credentials, "content-type": "application/json", ...headers });
  const response = await fetch(`${server.url}/rest/v1${path}`, {
    method,
    headers: sent.filter(([, value]) => value !== "").map(([name, value]): [string, string] => [name, value]),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    range: response.headers.get("content-range"),
    // The tests check the shapes.
    body: text === "" ? undefined : JSON.parse(text),
  };
}

describe("agent-auth", () => {
  test("exchanges the agent key for a token of the organization", async () => {
    const { status, body } = await exchange(nexus);
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/),
      organization_id: nexus.organizationId,
      expires_in: 3600,
    });
  });

  test("accepts ten attempts a minute, including wrong ones, and says how long to wait", async () => {
    const before = other.exchanges();
    const statuses: number[] = [];
    for (let i = 0; i < 9; i++) statuses.push((await exchange(other, "nxs_ak_wrong")).status);
    statuses.push((await exchange(other)).status);
    expect(statuses).toEqual([...Array(9).fill(401), 200]);
    const refused = await exchange(other);
    expect(refused).toMatchObject({ status: 429, body: { error: "rate_limit_exceeded" } });
    const wait = Number(refused.headers.get("retry-after"));
    expect(wait).toBeGreaterThan(50);
    expect(wait).toBeLessThanOrEqual(60);
    expect(other.exchanges() - before).toBe(11);
    clock.advance(wait * 1000);
    expect((await exchange(other)).status).toBe(200);
  });
});

describe("the gateway", () => {
  test("checks the apikey before the token", async () => {
    const missing = await rest("/items", { headers: { apikey: "" } });
    expect(missing.status).toBe(401);
    expect(missing.headers.get("sb-error-code")).toBe("UNAUTHORIZED_MISSING_API_KEY");
    expect(missing.body).toEqual({
      message: "No API key found in request",
      hint: "No `apikey` request header or url param was found.",
    });
    const wrong = await rest("/items", { headers: { apikey: "wrong", authorization: "Bearer garbage" } });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get("sb-error-code")).toBe("UNAUTHORIZED_INVALID_API_KEY");
    expect(wrong.body).toEqual({ message: "Invalid API key", hint: "Double check your Supabase `apikey`" });
  });

  test("answers with an empty list if the Authorization header is missing", async () => {
    expect(await rest("/items", { headers: { authorization: "" } })).toMatchObject({ status: 200, body: [] });
  });

  test("passes a foreign token on to PostgREST, which refuses it", async () => {
    const { status, headers, body } = await rest("/items", { headers: { authorization: "Bearer garbage" } });
    expect({ status, code: body.code }).toEqual({ status: 401, code: "PGRST301" });
    expect(headers.get("www-authenticate")).toContain("invalid_token");
  });

  test("does not reveal the schema", async () => {
    expect(await rest("/")).toMatchObject({ status: 401, body: { message: "Secret API key required" } });
  });

  test("checks the token before calling a function, with a number as code", async () => {
    const usage = (headers: Record<string, string>) =>
      fetch(`${nexus.url}/functions/v1/agent-usage`, { headers });
    const missing = await usage({});
    expect(missing.status).toBe(401);
    expect(await missing.json()).toEqual({ code: 401, message: "Missing authorization header" });
    const wrong = await usage({ authorization: "Bearer a.b.c" });
    expect(wrong.status).toBe(401);
    expect(await wrong.json()).toEqual({ code: 401, message: "Invalid JWT" });
    const good = await usage({ authorization: `Bearer ${token}` });
    expect(await good.json()).toMatchObject({
      organization_id: nexus.organizationId,
      usage: { contacts: { used: 5 }, orders: { used: 6 } },
    });
  });

  test("answers in plain text for an unknown function", async () => {
    const response = await fetch(`${nexus.url}/functions/v1/nope`, { method: "POST" });
    expect(response.status).toBe(404);
    expect(await response.text()).toBe("Function not found");
  });

  test("allows an organization a hundred requests a minute", async () => {
    const authorization = `Bearer ${(await exchange(other)).body.access_token}`;
    const get = () => rest("/items?limit=0", { server: other, headers: { authorization } });
    const answers = await Promise.all(Array.from({ length: 100 }, get));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    const refused = await get();
    expect(refused).toMatchObject({ status: 429, body: { error: "rate_limit_exceeded" } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("tokens", () => {
  test("can be expired on request, with PostgREST's own answer; later ones live on", async () => {
    const tokens = openTokens({
      clock,
      ...keys,
      jwtSecret,
      organizationId: nexus.organizationId,
      lifeS: -60,
    });
    const old = await tokens.exchange(keys.apiKey);
    const database = startDatabase({ jwtSecret, dbMaxRows: 100, seed: false });
    const real = await database.rest("GET", "/items", { authorization: `Bearer ${old}` }, "");
    await database.close();

    nexus.expireTokens();
    const refused = await rest("/items?limit=1");
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 401,
      body: JSON.parse(real.body),
    });
    for (const name of ["content-type", "www-authenticate"]) {
      const at = real.rawHeaders.findIndex((header) => header.toLowerCase() === name);
      expect(refused.headers.get(name)).toBe(real.rawHeaders[at + 1]);
    }
    token = (await exchange(nexus)).body.access_token;
    expect((await rest("/items?limit=1")).status).toBe(200);
  });

  test("are accepted for 30 s more after their end, by the sandbox's clock", async () => {
    const authorization = `Bearer ${(await exchange(other)).body.access_token}`;
    const status = async () => (await rest("/items", { server: other, headers: { authorization } })).status;
    clock.advance(3_600_000 + 20_000);
    expect(await status()).toBe(200);
    clock.advance(11_000);
    expect(await status()).toBe(401);
  });

  test("live on when their key is revoked", async () => {
    const authorization = `Bearer ${(await exchange(other)).body.access_token}`;
    await control({ revokeKey: true }, other);
    expect(await exchange(other)).toMatchObject({ status: 401, body: { error: "invalid_api_key" } });
    expect((await rest("/items", { server: other, headers: { authorization } })).status).toBe(200);
  });
});

describe("row-level security", () => {
  test.each([
    "awbs",
    "call_logs",
    "chats",
    "customer_journey_stages",
    "customers",
    "items",
    "messages",
    "orders",
    "stock_balances",
    "warehouses",
  ])("shows no other organization's rows in %s", async (table) => {
    const { body } = await rest(`/${table}?select=organization_id&limit=100`);
    expect(body.length).toBeGreaterThan(0);
    expect(new Set(body.map((row: { organization_id: string }) => row.organization_id))).toEqual(
      new Set([nexus.organizationId]),
    );
  });

  test("hides lines and logs whose parent is hidden", async () => {
    expect((await rest("/order_items?name=eq.Not yours")).body).toEqual([]);
    expect((await rest("/order_items")).body).toHaveLength(7);
    expect((await rest("/awb_status_logs")).body).toHaveLength(3);
  });

  test("refuses a row for another organization", async () => {
    const body = { organization_id: "0b000000-0000-4000-8000-000000000001", name: "Theirs" };
    expect(await rest("/warehouses", { method: "POST", body })).toMatchObject({
      status: 403,
      body: { code: "42501" },
    });
  });
});

describe("ranges", () => {
  const exact = { prefer: "count=exact" };
  test.each<[string, Record<string, string>, number, string | null, number]>([
    ["/call_logs?limit=3", {}, 200, "0-2/*", 3],
    ["/call_logs?limit=3", exact, 206, "0-2/250", 3],
    ["/call_logs", exact, 206, "0-99/250", 100],
    ["/call_logs", {}, 200, "0-99/*", 100],
    ["/call_logs", { range: "0-24" }, 200, "0-24/*", 25],
    ["/call_logs?offset=247", exact, 206, "247-249/250", 3],
    ["/call_logs?offset=250", exact, 206, "*/250", 0],
    ["/call_logs?offset=9999", {}, 200, "*/*", 0],
    ["/orders?order_number=eq.none", exact, 200, "*/0", 0],
    ["/orders", exact, 200, "0-5/6", 6],
  ])("%s %o is %i, %s", async (path, headers, status, range, length) => {
    const answer = await rest(path, { headers });
    expect([answer.status, answer.range, answer.body.length]).toEqual([status, range, length]);
  });

  test("give 416 after the last row if the total was requested", async () => {
    expect(await rest("/call_logs?offset=251", { headers: exact })).toMatchObject({
      status: 416,
      range: "*/250",
      body: { code: "PGRST103" },
    });
  });

  test("a client that pages by keys reads every row once, whatever the value of db-max-rows", async () => {
    const client = new PostgrestClient(`${nexus.url}/rest/v1`, {
      headers: { apikey: keys.anonKey, authorization: `Bearer ${token}` },
    });
    const ids: string[] = [];
    for (;;) {
      const page = client.from("call_logs").select("id").order("id").limit(120);
      const { data, error } = await (ids.length === 0 ? page : page.gt("id", ids.at(-1)));
      expect(error).toBeNull();
      if (data === null || data.length === 0) break;
      expect(data.length).toBeLessThanOrEqual(100);
      ids.push(...data.map(({ id }) => String(id)));
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(callCount);
  });
});

describe("writes", () => {
  const cap = "/items?sku=eq.CAP-ONE-NVY";
  const oneRow = { accept: "application/vnd.pgrst.object+json", prefer: "return=representation" };

  test("cannot set the remaining stock, which is derived from the rest", async () => {
    const [before] = (await rest("/stock_balances?limit=1&order=id")).body;
    const path = `/stock_balances?id=eq.${before.id}`;
    expect(await rest(path, { method: "PATCH", body: { available_quantity: 1 } })).toMatchObject({
      status: 400,
      body: { code: "428C9" },
    });
    const body = { quantity: before.quantity + 3 };
    const answer = await rest(path, { method: "PATCH", body, headers: { prefer: "return=representation" } });
    expect(answer.body).toMatchObject([{ available_quantity: before.available_quantity + 3 }]);
  });

  test("that must match exactly one row change nothing if they match several or none", async () => {
    const body = { description: "guarded" };
    const several = await rest("/items?category=eq.T-shirts", { method: "PATCH", body, headers: oneRow });
    expect(several).toMatchObject({ status: 406, body: { code: "PGRST116" } });
    expect((await rest("/items?sku=eq.NONE", { method: "PATCH", body, headers: oneRow })).status).toBe(406);
    expect((await rest("/items?description=eq.guarded")).body).toEqual([]);
    expect(await rest(cap, { method: "PATCH", body, headers: oneRow })).toMatchObject({
      status: 200,
      body: { sku: "CAP-ONE-NVY", description: "guarded" },
    });
  });

  test("a refusal carries Content-Type twice", async () => {
    const socket = connect(Number(new URL(nexus.url).port), "127.0.0.1");
    socket.write(
      `GET /rest/v1/items HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\napikey: ${keys.anonKey}\r\n` +
        `authorization: Bearer ${token}\r\naccept: ${oneRow.accept}\r\n\r\n`,
    );
    let answer = "";
    for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
    expect(answer).toContain("406 Not Acceptable");
    expect(answer.match(/^content-type:/gim)).toHaveLength(2);
  });

  test("that match nothing still succeed", async () => {
    const body = { description: "nobody" };
    expect((await rest("/items?sku=eq.NONE", { method: "PATCH", body })).status).toBe(204);
  });
});

describe("errors", () => {
  test.each<[string, number, string]>([
    ["/orders?order_status=eq.unheard_of", 400, "22P02"],
    ["/orders?id=eq.7", 400, "22P02"],
    ["/orders?status=eq.pending", 400, "42703"],
    ["/nothing", 404, "42P01"],
  ])("%s is %i %s", async (path, status, code) => {
    expect(await rest(path)).toMatchObject({ status, body: { code } });
  });

  test("carry the codes and headers of PostgREST 14 on request", async () => {
    const server = other;
    const table = await rest("/nothing", { server, headers: { authorization: "" } });
    expect(table).toMatchObject({
      status: 404,
      body: { code: "PGRST205", message: "Could not find the table 'public.nothing' in the schema cache" },
    });
    expect(table.headers.get("proxy-status")).toBe("PostgREST; error=PGRST205");
    expect(Number(table.headers.get("content-length"))).toBeGreaterThan(50);
  });
});

describe("faults", () => {
  test("are injected, by the control endpoint too, and end", async () => {
    await control({ fault: { kind: "html", match: "/rest/v1/items", status: 522 } });
    const page = await fetch(`${nexus.url}/rest/v1/items`);
    expect([page.status, page.headers.get("content-type")]).toEqual([522, "text/html"]);
    nexus.addFault({ kind: "status", match: "/rest/v1", status: 503 });
    const away = await rest("/items");
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "2"]);
    nexus.addFault({ kind: "drop" });
    await expect(rest("/items")).rejects.toThrow();
    expect((await rest("/items")).status).toBe(200);
  });

  test("can lose the answer to a write that was executed", async () => {
    nexus.addFault({ kind: "drop", match: "PATCH", afterHandling: true });
    const change = rest("/items?sku=eq.MUG-LOGO", { method: "PATCH", body: { description: "changed" } });
    await expect(change).rejects.toThrow();
    expect((await rest("/items?description=eq.changed")).body).toMatchObject([{ sku: "MUG-LOGO" }]);
  });

  test("are listed, with the requests, by the control endpoint", async () => {
    nexus.addFault({ kind: "stall", match: "/nowhere" });
    const state = JSON.parse(await (await fetch(`${nexus.url}/_control`)).text());
    expect(state).toMatchObject({
      organizationId: nexus.organizationId,
      faults: [{ kind: "stall" }],
      exchanges: nexus.exchanges(),
    });
    expect(state.requests.at(-1)).toMatchObject({ method: "GET" });
    const answer = await control({ sql: "select sku from items where sku = $1", params: ["MUG-LOGO"] });
    expect(answer).toEqual({ ok: true, result: [{ sku: "MUG-LOGO" }] });
  });
});

test("a test's statements never run inside a request's transaction", async () => {
  let areAnswered = false;
  const asked = Promise.all(
    Array.from({ length: 60 }, () => rest("/orders?select=order_number,order_items(sku)&limit=2")),
  ).finally(() => {
    areAnswered = true;
  });
  while (!areAnswered) {
    const [row] = await nexus.sql("select current_user as who, count(*) from items");
    expect(row).toMatchObject({ who: "postgres", count: 13 });
  }
  for (const answer of await asked) expect(answer.body).toHaveLength(2);
});

test("the scripted life lets stock sink and be refilled, and orders arrive and be confirmed", async () => {
  const life = startNexusLife({ nexus, intervalMs: 100 });
  const scene = async () => {
    const low = "/stock_balances?select=id&available_quantity=lt.10";
    const pending = "/orders?select=id&order_status=eq.pending&order_number=gt.NX-1006";
    const confirmed = "/orders?select=id&order_status=eq.confirmed&order_number=gt.NX-1006";
    const [a, b, c] = await Promise.all([rest(low), rest(pending), rest(confirmed)]);
    return { low: a.body.length, pending: b.body.length, confirmed: c.body.length };
  };
  try {
    await vi.waitFor(async () => expect((await scene()).low).toBeGreaterThan(0), { timeout: 20_000 });
    const [sunk] = (await rest("/stock_balances?available_quantity=lt.10&order=id&limit=1")).body;
    await vi.waitFor(
      async () => {
        const [row] = (await rest(`/stock_balances?id=eq.${sunk.id}`)).body;
        expect(row.available_quantity).toBeGreaterThan(12);
      },
      { timeout: 20_000 },
    );
    await vi.waitFor(
      async () => {
        const { pending, confirmed } = await scene();
        expect(pending).toBeGreaterThan(0);
        expect(confirmed).toBeGreaterThan(0);
      },
      { timeout: 20_000 },
    );
  } finally {
    life.stop();
  }
});

describe("npm run sandbox", () => {
  const run = (...args: string[]) => {
    const child = spawn(process.execPath, [mainProgram, ...args]);
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    return { child, errors: () => errors, exit: once(child, "exit") };
  };

  test("prints one JSON line, and on SIGTERM ends with everything it started", async () => {
    const { child, exit } = run("--quiet-life");
    const [line] = await once(createInterface(child.stdout), "line");
    const { nexus: url, env } = JSON.parse(line);
    expect(Object.keys(env)).toEqual(["NEX_API_KEY", "NEXUS_API_KEY", "NEXUS_ANON_KEY"]);
    const response = await fetch(`${url}/rest/v1/items`, { headers: { apikey: env.NEXUS_ANON_KEY } });
    expect(await response.json()).toEqual([]);
    const guards = await postgrestsOf(child.pid);
    expect(guards).toHaveLength(1);
    child.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    expect(guards.filter(isAlive)).toEqual([]);
  });

  test("leaves no PostgreSQL behind when killed", async () => {
    const { child, exit } = run("--quiet-life");
    await once(createInterface(child.stdout), "line");
    const guards = await postgrestsOf(child.pid);
    expect(guards).toHaveLength(1);
    child.kill("SIGKILL");
    await exit;
    await vi.waitFor(() => expect(guards.filter(isAlive)).toEqual([]), { timeout: 20_000 });
  });

  test("reports in one line that a port is in use", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const { exit, errors } = run("--nex-port", String(port));
    expect(await exit).toEqual([1, null]);
    expect(errors()).toBe(`sandbox: port ${port} is in use; is another sandbox running?\n`);
    taken.close();
  });

  test.each([[["--nex-port", "http"]], [["--loud-life"]]])("refuses the flags %o", async (args) => {
    const { exit, errors } = run(...args);
    expect(await exit).toEqual([2, null]);
    expect(errors()).toContain("usage:");
  });
});

async function control(body: unknown, server: NexusServer = nexus) {
  const isSql = typeof body === "object" && body !== null && "sql" in body;
  const path = isSql ? "/_control/sql" : "/_control";
  return (await fetch(server.url + path, { method: "POST", body: JSON.stringify(body) })).json();
}

/** Processes started by this one, which are PostgREST's guards; on Linux and BSD alike. */
async function postgrestsOf(pid: number | undefined): Promise<number[]> {
  const ps = spawn("ps", ["-A", "-o", "pid=,ppid=,args="]);
  let text = "";
  for await (const chunk of ps.stdout.setEncoding("utf8")) text += chunk;
  const rows = text.split("\n").map((line) => line.trim().split(/\s+/));
  const childrenOf = (parent: string) => rows.filter((row) => row[1] === parent).map((row) => row[0] ?? "");
  return childrenOf(String(pid)).flatMap(childrenOf).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { SANDBOX_ENV } from "../../../sandbox/args.ts";
import { systemClock as systemSandboxClock } from "../../../sandbox/clock.ts";
import { type NexusServer, startNexus } from "../../../sandbox/nexus.ts";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { createSteadyClock, type SteadyClock } from "../../../src/core/steady-clock.ts";
import { createHttpClient } from "../../../src/http/transport.ts";
import { createTokenSource } from "../../../src/services/nexus/auth.ts";
import { withToken } from "../../../src/services/nexus/http.ts";
import type { TokenStorage } from "../../../src/services/nexus/saved-token.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { closedOrigin, json, serve } from "../../support/http-server.ts";
import { watchedClock } from "../../support/steady-clock.ts";

const HOUR = 3_600_000;
const sandboxClock = systemSandboxClock();
let nexus: NexusServer;
let exchangesBefore = 0;

beforeAll(async () => {
  nexus = await startNexus({
    apiKey: SANDBOX_ENV.NEXUS_API_KEY,
    anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    rateLimit: null,
    clock: sandboxClock,
  });
  await nexus.ready;
});
beforeEach(() => {
  nexus.clearFaults();
  // The sandbox counts ten exchanges a minute, as Nexus does; every test starts with a fresh minute.
  sandboxClock.advance(61_000);
  exchangesBefore = nexus.exchanges();
});
afterAll(() => nexus.close());

const exchanges = () => nexus.exchanges() - exchangesBefore;
const storage = (): TokenStorage & { saved: string | undefined } => ({
  saved: undefined,
  async load() {
    return this.saved;
  },
  async save(json) {
    this.saved = json;
  },
});

function connect(
  options: {
    storage?: TokenStorage;
    apiKey?: string;
    anonKey?: string;
    origin?: string;
    clock?: Clock;
    steady?: SteadyClock;
    onBack?: () => unknown;
  } = {},
) {
  const clock = options.clock ?? systemClock;
  const http = createHttpClient({
    service: "nexus",
    origin: options.origin ?? nexus.url,
    // Its deadlines use the system's clock: a test that moves the time must not cut a request.
    clock: systemClock,
    timeoutMs: 5000,
    maxBytes: 1_000_000,
    userAgent: "test",
    credential: async () => ({ apikey: options.anonKey ?? SANDBOX_ENV.NEXUS_ANON_KEY }),
  });
  const tokens = createTokenSource({
    http,
    apiKey: () => options.apiKey ?? SANDBOX_ENV.NEXUS_API_KEY,
    storage: options.storage ?? storage(),
    ...{ clock, steady: options.steady ?? createSteadyClock(clock) },
    random: () => 0,
    onToken: () => {},
    onBack: () => options.onBack?.(),
  });
  const authorized = withToken(http, tokens);
  const read = () =>
    authorized.request({
      method: "GET",
      path: "/rest/v1/orders?limit=1",
      label: "GET /rest/v1/orders",
    });
  return { tokens, read, http: authorized };
}

describe("the agent's token", () => {
  it("is exchanged once, however many callers ask at the same time", async () => {
    const { tokens } = connect();
    const got = await Promise.all(Array.from({ length: 20 }, () => tokens.token()));
    expect(new Set(got).size).toBe(1);
    expect(exchanges()).toBe(1);
  });

  it("survives a restart of the process", async () => {
    const kept = storage();
    const first = await connect({ storage: kept }).tokens.token();
    expect(await connect({ storage: kept }).tokens.token()).toBe(first);
    expect(exchanges()).toBe(1);
  });

  it("is refreshed at 80 % of its life, not before", async () => {
    const clock = createFakeClock(Date.now());
    const { tokens } = connect({ clock });
    await tokens.token();
    await clock.advance(0.79 * HOUR);
    await tokens.token();
    expect(exchanges()).toBe(1);
    await clock.advance(0.02 * HOUR);
    await tokens.token();
    expect(exchanges()).toBe(2);
  });

  it.each([-24 * HOUR, 24 * HOUR])(
    "ages by elapsed time, whatever the wall clock says (stepped by %i ms), even over a restart",
    async (step) => {
      const clock = createFakeClock(Date.now());
      const steady = watchedClock(clock);
      const kept = storage();
      const { tokens } = connect({ clock, steady, storage: kept });
      const first = await tokens.token();
      await clock.advance(0.1 * HOUR);
      clock.jump(step);
      expect(await tokens.token()).toBe(first);
      const restarted = connect({ clock, steady, storage: kept }).tokens;
      expect(await restarted.token()).toBe(first);
      expect(exchanges()).toBe(1);
      nexus.addFault({ kind: "html", match: "/functions/v1/agent-auth", times: -1 });
      await clock.advance(0.89 * HOUR);
      for (const source of [tokens, restarted]) expect(await source.token()).toBe(first);
      await clock.advance(0.02 * HOUR);
      for (const source of [tokens, restarted])
        await expect(source.token()).rejects.toMatchObject({ status: 502 });
    },
  );

  it("ages while the machine sleeps", async () => {
    const clock = createFakeClock(Date.now());
    const { tokens } = connect({ clock, steady: watchedClock(clock) });
    await tokens.token();
    clock.suspend(0.85 * HOUR);
    await tokens.token();
    expect(exchanges()).toBe(2);
  });

  it("stays in use while the exchange is unreachable, until it expires", async () => {
    const clock = createFakeClock(Date.now());
    const { tokens } = connect({ clock });
    const first = await tokens.token();
    await clock.advance(0.9 * HOUR);
    nexus.addFault({ kind: "html", match: "/functions/v1/agent-auth", times: -1 });
    expect(await tokens.token()).toBe(first);
    await clock.advance(0.2 * HOUR);
    await expect(tokens.token()).rejects.toMatchObject({ name: "HttpError", status: 502 });
  });

  it("a refused key stops the exchanges and is reported, with a rare retry", async () => {
    const clock = createFakeClock(Date.now());
    const { tokens } = connect({ apiKey: "nxs_ak_of_nobody", clock });
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(tokens.token()).rejects.toMatchObject({
        code: "agent_key_refused",
        retryable: false,
        retryAfterMs: 15 * 60_000,
      });
    expect(exchanges()).toBe(1);
    await clock.advance(15 * 60_000);
    await expect(tokens.token()).rejects.toMatchObject({ code: "agent_key_refused" });
    expect(exchanges()).toBe(2);
  });

  it("a key without the prefix of agent keys is never sent; its length does not matter", async () => {
    const { tokens } = connect({ apiKey: "eyJhbGciOiJIUzI1NiJ9.e30.x" });
    await expect(tokens.token()).rejects.toMatchObject({ code: "agent_key_malformed", maybeSent: false });
    expect(exchanges()).toBe(0);
  });

  it("a plan limit, a proxy's page or a missing apikey does not count as refusal of the key", async () => {
    const { tokens } = connect();
    const fault = (status: number, body: unknown, headers = {}) =>
      nexus.addFault({ kind: "status", match: "agent-auth", status, body, headers });
    fault(403, { error: "plan_limit_exceeded", resource: "api_calls_per_day" });
    nexus.addFault({ kind: "html", match: "agent-auth", status: 403 });
    fault(401, { message: "No API key found in request" });
    fault(401, {}, { "sb-error-code": "UNAUTHORIZED_INVALID_API_KEY" });
    for (const code of ["plan_limit_exceeded", "http_403", "anon_key_refused", "anon_key_refused"])
      await expect(tokens.token()).rejects.toMatchObject({ code });
    expect(await tokens.token()).toBeTypeOf("string");
  });

  it("after a 401 the key is exchanged once and the request is sent once more", async () => {
    const { read } = connect();
    nexus.addFault({ kind: "status", match: "/rest/v1", status: 401, body: EXPIRED });
    expect((await read()).status).toBe(200);
    expect(exchanges()).toBe(2);
  });

  it("a service that refuses every token is asked for at most one new one a minute", async () => {
    const clock = createFakeClock(Date.now());
    const { read } = connect({ clock });
    nexus.addFault({ kind: "status", match: "/rest/v1", status: 401, times: -1, body: EXPIRED });
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(read()).rejects.toMatchObject({ status: 401, code: "token_refused", retryable: false });
    expect(exchanges()).toBe(2);
    await clock.advance(60_000);
    await expect(read()).rejects.toMatchObject({ code: "token_refused" });
    expect(exchanges()).toBe(3);
  });

  it.each(["UNAUTHORIZED_MISSING_API_KEY", "UNAUTHORIZED_INVALID_API_KEY_TYPE", undefined])(
    "a wrong anon key is a configuration error, which no exchange can fix (%s)",
    async (code) => {
      const { read, tokens } = connect(code ? {} : { anonKey: "sb_publishable_wrong" });
      const headers = code ? { "sb-error-code": code } : {};
      if (code) nexus.addFault({ kind: "status", match: "/rest/v1", status: 401, body: {}, headers });
      const before = await tokens.token();
      await expect(read()).rejects.toMatchObject({ code: "anon_key_refused" });
      expect(await tokens.token()).toBe(before);
      expect(exchanges()).toBe(1);
    },
  );

  it("is exchanged at most ten times in any minute, in all processes, even if the clock is stepped", async () => {
    const clock = createFakeClock(Date.now());
    const steady = watchedClock(clock);
    const kept = storage();
    const sentAt: number[] = [];
    for (let n = 0; n < 300; n++) {
      const before = exchanges();
      // Each has its own key, so that no token serves two of them; a crash loop in which each gets a bit further.
      const { tokens } = connect({ storage: kept, clock, steady, apiKey: `nxs_ak_of_nobody_${n}` });
      const error = await tokens.token().catch((error: unknown) => error);
      if (exchanges() > before) sentAt.push(clock.monotonic());
      else expect(error).toMatchObject({ code: "exchange_budget", maybeSent: false, retryable: true });
      await clock.advance(700);
      if (n === 100) clock.jump(-HOUR);
      if (n === 200) clock.jump(24 * HOUR);
    }
    for (const [index, at] of sentAt.entries())
      expect((sentAt[index + 10] ?? Number.POSITIVE_INFINITY) - at).toBeGreaterThan(60_000);
    expect(sentAt.length).toBeGreaterThanOrEqual(20);
  });

  it("attempts before a crash count after it: each is on disk before it is sent", async () => {
    const kept = storage();
    nexus.addFault({ kind: "stall", match: "agent-auth" });
    const { tokens } = connect({ storage: kept });
    const outcome = tokens.token().catch(() => "failed");
    await expect.poll(() => nexus.requests.at(-1)?.path).toBe("/functions/v1/agent-auth");
    expect(JSON.parse(kept.saved ?? "{}").exchanges).toHaveLength(1);
    nexus.clearFaults();
    await outcome;
  });

  it("belongs to one key at one origin: another key, or the same key elsewhere, does not get it", async () => {
    const kept = storage();
    await connect({ storage: kept }).tokens.token();
    const other = connect({ storage: kept, apiKey: "nxs_ak_of_somebody_else" });
    await expect(other.tokens.token()).rejects.toMatchObject({ code: "agent_key_refused" });
    const elsewhere = await serve(json({ access_token: "t", organization_id: "o" }));
    const { read } = connect({ storage: kept, origin: elsewhere.origin });
    await read();
    expect(elsewhere.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ["/functions/v1/agent-auth", undefined],
      ["/rest/v1/orders?limit=1", "Bearer t"],
    ]);
  });

  it("an unreadable stored token is not an error", async () => {
    for (const saved of ["", "{", "null", '{"token":5}']) {
      const { tokens } = connect({ storage: Object.assign(storage(), { saved }) });
      expect(await tokens.token()).toBeTypeOf("string");
    }
  });
});

describe("a server that redirects elsewhere", () => {
  it.each([301, 302, 303, 307, 308])(
    "gets no key, token or payload sent to another origin by a %d",
    async (status) => {
      const thief = await serve(json({ access_token: "t", organization_id: "o" }));
      const { port } = new URL(thief.origin);
      for (const location of [
        thief.origin,
        `//127.0.0.1:${port}/x`,
        `http://localhost:${port}/`,
        `\\\\127.0.0.1:${port}`,
      ]) {
        let isLuring = true;
        const server = await serve((response, request) => {
          if (isLuring || !request.url.includes("agent-auth")) response.writeHead(status, { location }).end();
          else response.end(JSON.stringify({ access_token: "t", organization_id: "o" }));
        });
        const { tokens, http } = connect({ origin: server.origin });
        await expect(tokens.token()).rejects.toMatchObject({ kind: "redirect_refused" });
        isLuring = false;
        const request = { path: "/rest/v1/orders", label: "orders" };
        for (const method of ["GET", "HEAD"] as const)
          await expect(http.request({ ...request, method })).rejects.toMatchObject({
            kind: "redirect_refused",
          });
        for (const method of ["POST", "PATCH", "DELETE"] as const)
          await expect(http.request({ ...request, method, json: { a: 1 } })).rejects.toMatchObject({
            kind: "redirect_refused",
          });
        await expect(http.stream({ ...request, method: "GET" })).rejects.toMatchObject({
          kind: "redirect_refused",
        });
      }
      expect(thief.requests).toEqual([]);
    },
  );

  it("a path that looks like another host is still a path", async () => {
    const thief = await serve(json({}));
    const server = await serve(json({ access_token: "t", organization_id: "o" }));
    const { http } = connect({ origin: server.origin });
    const { host } = new URL(thief.origin);
    for (const path of [`//${host}/x`, `/\\${host}`, `http://${host}/x`, `@${host}/`, `/../..//${host}`])
      await http.request({ method: "GET", path, label: "x" }).catch(() => undefined);
    expect(thief.requests).toEqual([]);
  });
});

const EARLY_BY = (retryAfterMs: number) => ({
  ...{ code: "token_not_yet_valid", retryable: true, retryAfterMs },
});
const REFUSED = { code: "token_refused", retryable: false };
const EXPIRED = { code: "PGRST301", message: "JWT expired" };

describe("a token from a server whose clock is ahead", () => {
  /** Exchanges keys; REST accepts the tokens in `taken`, and answers all others as PostgREST answers an early one. */
  const ahead = async (taken: Set<string>, body: unknown = EARLY) => {
    let issued = 0;
    const server = await serve((response, request, index) => {
      if (request.url.endsWith("/agent-auth"))
        return json({ access_token: `token-${++issued}`, organization_id: "org", expires_in: 3600 })(
          response,
          request,
          index,
        );
      const isTaken = taken.has(String(request.headers.authorization).replace("Bearer ", ""));
      return json(isTaken ? [] : body, isTaken ? 200 : 401)(response, request, index);
    });
    const clock = createFakeClock(Date.now());
    const { tokens, read } = connect({ origin: server.origin, clock });
    return { clock, tokens, read, issued: () => issued, server };
  };
  const EARLY = { code: "PGRST303", message: "JWT issued at future", details: null, hint: null };

  it("is kept while the previous one is used, which still works", async () => {
    const taken = new Set(["token-1"]);
    const { clock, read, issued } = await ahead(taken);
    expect((await read()).status).toBe(200);
    await clock.advance(0.9 * 3_600_000);
    for (let attempt = 0; attempt < 5; attempt++) expect((await read()).status).toBe(200);
    expect(issued()).toBe(2);
    taken.add("token-2");
    taken.delete("token-1");
    await clock.advance(5000);
    expect((await read()).status).toBe(200);
    expect(issued()).toBe(2);
  });

  it("is not exchanged again if there is no previous one; the error says so, and a later request succeeds", async () => {
    const taken = new Set<string>();
    const { read, issued } = await ahead(taken);
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(read()).rejects.toMatchObject({
        ...{ status: 401, code: "token_not_yet_valid", retryable: true, retryAfterMs: 2000 },
      });
    taken.add("token-1");
    expect((await read()).status).toBe(200);
    expect(issued()).toBe(1);
  });
});

describe("whether a token is from the future", () => {
  const SECOND = 1000;
  const NOW = Date.UTC(2026, 10, 30, 12);
  const jwt = (claims: unknown) =>
    ["{}", JSON.stringify(claims), "x"].map((part) => Buffer.from(part).toString("base64url")).join(".");
  const inSeconds = (offset: number) => Math.round(NOW / SECOND) + offset;

  it.each<[string, { claims: unknown; body?: unknown; dateMs?: number; authenticate?: string }, object]>([
    ["iat 5 s ahead of the Date", { claims: { iat: inSeconds(5) } }, EARLY_BY(5000)],
    ["nbf 3 s ahead of it", { claims: { iat: inSeconds(0), nbf: inSeconds(3) } }, EARLY_BY(3000)],
    ["the later of both", { claims: { iat: inSeconds(2), nbf: inSeconds(7) } }, EARLY_BY(7000)],
    ["an hour ahead: it is waited for in parts", { claims: { iat: inSeconds(3600) } }, EARLY_BY(30_000)],
    [
      "a server behind by a minute",
      { claims: { iat: inSeconds(0) }, dateMs: -60 * SECOND },
      EARLY_BY(30_000),
    ],
    [
      "said in words, without claims",
      { claims: null, body: { message: "JWT issued at future" } },
      EARLY_BY(2000),
    ],
    [
      "said in a header",
      { claims: {}, authenticate: 'Bearer error="the token is not yet valid"' },
      EARLY_BY(2000),
    ],
    ["one second, as the Date is cut to", { claims: { iat: inSeconds(1) } }, REFUSED],
    ["issued in the past", { claims: { iat: inSeconds(-5) } }, REFUSED],
    ["a server ahead of the token", { claims: { iat: inSeconds(0) }, dateMs: 3600 * SECOND }, REFUSED],
    ["claims that are no numbers", { claims: { iat: "soon", nbf: null } }, REFUSED],
    ["no claims at all", { claims: "x" }, REFUSED],
  ])("%s", async (_, { claims, body, dateMs = 0, authenticate }, expected) => {
    const server = await serve((response, request, index) => {
      if (request.url.endsWith("/agent-auth"))
        return json({ access_token: jwt(claims), organization_id: "org" })(response, request, index);
      const headers = {
        date: new Date(NOW + dateMs).toUTCString(),
        ...(authenticate && { "www-authenticate": authenticate }),
      };
      return json(body ?? { message: "no" }, 401, headers)(response, request, index);
    });
    // This machine's clock does not matter.
    const { read } = connect({ origin: server.origin, clock: createFakeClock(NOW + 86_400_000) });
    await expect(read()).rejects.toMatchObject({ status: 401, ...expected });
  });
});

it("an exchange that was never sent does not count: a refused connection uses none up", async () => {
  const kept = storage();
  const { tokens } = connect({ storage: kept, origin: await closedOrigin() });
  for (let attempt = 0; attempt < 15; attempt++)
    await expect(tokens.token()).rejects.toMatchObject({ code: "connection_refused", maybeSent: false });
  expect(JSON.parse(kept.saved ?? "{}").exchanges).toEqual([]);
});

it("a token arrives within 4 s after 12 s without a connection, even if no caller asks again", async () => {
  const origin = await closedOrigin();
  const clock = createFakeClock(Date.now());
  const told: string[] = [];
  const { tokens } = connect({ origin, clock, onBack: () => told.push("back") });
  await expect(tokens.token()).rejects.toMatchObject({ code: "connection_refused" });
  await clock.advance(12_000);
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ access_token: "t", organization_id: "o" }));
  }).listen(Number(new URL(origin).port), "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  await clock.advance(4000);
  expect(told).toEqual(["back"]);
  expect(await tokens.token()).toBe("t");
  expect(clock.pending()).toBe(0);
});

it.each([0, -5, 1])(
  "a token with a stated lifetime of %i s is not exchanged for each request",
  async (life) => {
    let issued = 0;
    const server = await serve(
      json({ access_token: `token-${++issued}`, organization_id: "org", expires_in: life }),
    );
    const { tokens } = connect({ origin: server.origin, clock: createFakeClock(Date.now()) });
    for (let n = 0; n < 20; n++) await tokens.token();
    expect(server.requests).toHaveLength(1);
  },
);

it("a write whose token has expired is sent once, and its error says that the next attempt can succeed", async () => {
  const { http, tokens } = connect();
  await tokens.token();
  nexus.addFault({ kind: "status", match: "/rest/v1", status: 401, body: EXPIRED });
  const write = () =>
    http.request({
      method: "GET",
      path: "/rest/v1/orders?limit=1",
      label: "GET /rest/v1/orders",
      once: true,
    });
  const before = nexus.requests.length;
  await expect(write()).rejects.toMatchObject({ status: 401, code: "token_replaced", retryable: true });
  expect(nexus.requests.slice(before).filter(({ path }) => path.startsWith("/rest/v1"))).toHaveLength(1);
  expect((await write()).status).toBe(200);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../../sandbox/args.ts";
import { systemClock as systemSandboxClock } from "../../../sandbox/clock.ts";
import { type NexusServer, startNexus } from "../../../sandbox/nexus.ts";
import { createHttpClient } from "../../../src/http/transport.ts";
import { systemClock } from "../../../src/scheduler/clock.ts";
import { createTokenSource, type TokenStorage } from "../../../src/services/nexus/auth.ts";
import { withToken } from "../../../src/services/nexus/http.ts";

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
  // The sandbox counts ten exchanges a minute, as Nexus does; every test begins with a fresh minute.
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
  options: { storage?: TokenStorage; apiKey?: string; anonKey?: string; now?: () => number } = {},
) {
  const clock = { ...systemClock, now: options.now ?? systemClock.now };
  const http = createHttpClient({
    service: "nexus",
    origin: nexus.url,
    clock,
    timeoutMs: 5000,
    maxBytes: 1_000_000,
    userAgent: "test",
    credential: async () => ({ apikey: options.anonKey ?? SANDBOX_ENV.NEXUS_ANON_KEY }),
  });
  const tokens = createTokenSource({
    http,
    apiKey: () => options.apiKey ?? SANDBOX_ENV.NEXUS_API_KEY,
    storage: options.storage ?? storage(),
    clock,
    random: () => 0,
    onToken: () => {},
  });
  const read = () =>
    withToken(http, tokens).request({
      method: "GET",
      path: "/rest/v1/orders?limit=1",
      label: "GET /rest/v1/orders",
    });
  return { tokens, read };
}

describe("the agent's token", () => {
  it("is exchanged once, however many ask at the same time", async () => {
    const { tokens } = connect();
    const got = await Promise.all(Array.from({ length: 20 }, () => tokens.token()));
    expect(new Set(got).size).toBe(1);
    expect(exchanges()).toBe(1);
  });

  it("outlives the process", async () => {
    const kept = storage();
    const first = await connect({ storage: kept }).tokens.token();
    expect(await connect({ storage: kept }).tokens.token()).toBe(first);
    expect(exchanges()).toBe(1);
  });

  it("is refreshed at 80 % of its life, not before", async () => {
    let now = Date.now();
    const { tokens } = connect({ now: () => now });
    await tokens.token();
    now += 0.79 * 3_600_000;
    await tokens.token();
    expect(exchanges()).toBe(1);
    now += 0.02 * 3_600_000;
    await tokens.token();
    expect(exchanges()).toBe(2);
  });

  it("goes on being used while the exchange cannot be reached, as long as it lives", async () => {
    let now = Date.now();
    const { tokens } = connect({ now: () => now });
    const first = await tokens.token();
    now += 0.9 * 3_600_000;
    nexus.addFault({ kind: "html", match: "/functions/v1/agent-auth", times: -1 });
    expect(await tokens.token()).toBe(first);
    now += 0.2 * 3_600_000;
    await expect(tokens.token()).rejects.toMatchObject({ name: "HttpError", status: 502 });
  });

  it("a key that is refused stops the exchanges and says so", async () => {
    const { tokens } = connect({ apiKey: "nxs_ak_of_nobody" });
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(tokens.token()).rejects.toMatchObject({ code: "agent_key_refused", retryable: false });
    expect(exchanges()).toBe(1);
  });

  it("after a 401 the key is exchanged once and the request sent once more", async () => {
    const { read } = connect();
    nexus.addFault({
      kind: "status",
      match: "/rest/v1",
      status: 401,
      body: { code: "PGRST301", message: "JWT expired" },
    });
    expect((await read()).status).toBe(200);
    expect(exchanges()).toBe(2);
    nexus.addFault({
      kind: "status",
      match: "/rest/v1",
      status: 401,
      times: 2,
      body: { code: "PGRST301", message: "JWT expired" },
    });
    await expect(read()).rejects.toMatchObject({ status: 401 });
    expect(exchanges()).toBe(3);
  });

  it("a wrong anon key is configuration: no exchange can cure it", async () => {
    const { read } = connect({ anonKey: "sb_publishable_wrong" });
    await expect(read()).rejects.toMatchObject({ code: "anon_key_refused" });
    expect(exchanges()).toBe(1);
  });
});

import { describe, expect, it, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { newSession, type Session } from "../../src/services/messaging/session.ts";
import type { Facts } from "../../src/services/operation.ts";
import { createFacts, type FactsOptions } from "../../src/writes/facts.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { httpError } from "./harness.ts";

const session = (sessionId: string, alias: string | null = null): Session =>
  newSession({ sessionId, alias, baseUrl: "https://messaging.example", agentId: "nexusd" });

const config = (changes: object = {}) => {
  const ref = { source: "env", id: "A" };
  return configSchema.parse({
    nex: { api_key: ref },
    nexus: { api_key: ref, anon_key: { source: "env", id: "B" }, base_url: "https://nexus.example" },
    ...changes,
  });
};

const factsWith = (options: Partial<FactsOptions> & { known?: Session[] } = {}) =>
  createFacts({
    config,
    sessions: () => ({ all: () => options.known ?? [] }),
    organizationId: async () => "org-1",
    clock: createFakeClock(),
    ...options,
  });

const thrown = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("must be refused");
};

it("origins are those of the configuration as it is now", async () => {
  let current = config();
  const facts = factsWith({ config: () => current });
  expect((await facts("nexus")).origins).toEqual({
    messaging: "https://messaging.md",
    nex: "https://app.nex.ai",
    nexus: "https://nexus.example",
  });
  current = config({ messaging: { base_url: "https://other.example" } });
  expect((await facts("messaging")).origins.messaging).toBe("https://other.example");
});

it("a service that is disabled is refused", async () => {
  const facts = factsWith({ config: () => config({ nex: { enabled: false } }) });
  await expect(facts("nex")).rejects.toMatchObject({ code: "service_disabled" });
  await expect(facts("nexus")).resolves.toBeDefined();
});

describe("a session", () => {
  const ids = ["0123456789abcdef", "0123456fffffffff", "fedcba9876543210"];
  const known = [
    session("0123456789abcdef", "workshop"),
    session("0123456fffffffff", "fedcba"),
    session("fedcba9876543210", null),
  ];
  let facts: Facts;
  test.beforeAll(async () => {
    facts = await factsWith({ known })("messaging");
  });

  test.each([
    ["its id", "0123456789abcdef", ids[0]],
    ["its alias", "workshop", ids[0]],
    ["a beginning of its id that no other has", "01234567", ids[0]],
    ["an alias, before an id that begins with it", "fedcba", ids[1]],
  ])("is found by %s", (_name, given, id) => {
    expect(facts.session(given)).toEqual({
      sessionId: id,
      alias: known.find(({ sessionId }) => sessionId === id)?.alias,
      baseUrl: "https://messaging.example",
      agentId: "nexusd",
      leftAs: null,
      state: "new",
      isCreator: false,
      joinedAt: null,
      cursor: null,
      sentCursor: null,
      isSendInDoubt: false,
    });
  });

  test.each([
    ["of a beginning that two have", "012345", "ambiguous_session"],
    ["of a beginning that is too short to be safe", "fedcb", "session_not_found"],
    ["that is not there", "0123456789abcdee", "session_not_found"],
    ["of no name at all", "", "session_not_found"],
    ["of another spelling", "Workshop", "session_not_found"],
  ])("%s is refused, and no id is told", (_name, given, code) => {
    const error = thrown(() => facts.session(given));
    expect(error).toMatchObject({ code });
    for (const id of ids) expect(String(error)).not.toContain(id);
    if (given !== "") expect(String(error)).not.toContain(`"${given}"`);
  });

  it("of an alias that two have is refused", async () => {
    const twice = [session("a".repeat(16), "same"), session("b".repeat(16), "same")];
    const same = await factsWith({ known: twice })("messaging");
    expect(thrown(() => same.session("same"))).toMatchObject({ code: "ambiguous_session" });
  });
});

describe("the organization", () => {
  it("is the one of the agent key", async () => {
    expect((await factsWith()("nexus")).organizationId()).toBe("org-1");
  });

  it("is asked for by nothing but Nexus", async () => {
    const facts = await factsWith({ organizationId: () => expect.fail() })("messaging");
    expect(thrown(() => facts.organizationId())).toMatchObject({ code: "service_unavailable" });
  });

  it("is unknown where the exchange fails, and says why, so that what does not need it goes on", async () => {
    const facts = await factsWith({
      organizationId: () => Promise.reject(httpError("network", { message: "nexus: no connection" })),
    })("nexus");
    expect(facts.origins.nexus).toBe("https://nexus.example");
    expect(thrown(() => facts.organizationId())).toMatchObject({
      code: "service_unavailable",
      message: expect.stringContaining("nexus: no connection"),
    });
  });

  it("is unknown where the exchange takes too long", async () => {
    const clock = createFakeClock();
    const slow = factsWith({ clock, organizationId: () => new Promise(() => {}) })("nexus");
    await clock.advance(10_000);
    const facts = await slow;
    expect(thrown(() => facts.organizationId())).toMatchObject({ code: "service_unavailable" });
    expect(clock.pending()).toBe(0);
  });
});

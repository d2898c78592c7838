import { describe, expect, it } from "vitest";
import { HttpError } from "../../../src/http/errors.ts";
import type { NexusHttp } from "../../../src/services/nexus/http.ts";
import { createQuota } from "../../../src/services/nexus/quota.ts";
import { connect } from "../../jobs/nexus-harness.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { html, json, serve } from "../../support/http-server.ts";

const NOON = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;
const signal = new AbortController().signal;

/** Nexus reduced to agent-usage, which counts the calls. */
function setUp(limit: number, used: number) {
  const clock = createFakeClock(NOON);
  const nexus = { used, asked: 0, body: undefined as unknown };
  const http = {
    request: async () => {
      nexus.asked++;
      nexus.used++;
      const own = {
        plan: "free",
        usage: { api_calls_today: { used: nexus.used, limit, remaining: limit - nexus.used } },
      };
      return {
        status: 200,
        headers: {},
        body: new Uint8Array(),
        text: () => "",
        json: () => (nexus.body === undefined ? own : nexus.body),
      };
    },
  } as unknown as NexusHttp; // only its requests are made
  const quota = createQuota({ http, clock });
  /** A watch of this many requests on its schedule, until the time is up; returns how often it ran. */
  const watch = async (requests: number, everyMs: number, forMs: number) => {
    let passes = 0;
    const end = clock.monotonic() + forMs;
    const loop = async () => {
      while (clock.monotonic() < end) {
        await quota.admit(over.signal, () => {});
        passes++;
        nexus.used += requests;
        quota.spent(requests);
        await clock.sleep(everyMs - (clock.monotonic() % everyMs));
      }
    };
    const over = new AbortController();
    const looping = loop().catch(() => {});
    for (let passed = 0; passed <= forMs; passed += MINUTE) await clock.advance(MINUTE);
    over.abort();
    await looping;
    return passes;
  };
  return { clock, nexus, quota, watch };
}

describe("the daily quota", () => {
  it("is not reached by two watches on the free plan, which slow down evenly over the day", async () => {
    const { nexus, watch } = setUp(500, 0);
    // As much as both together request: 5 requests in 4 minutes.
    const passes = await watch(5, 4 * MINUTE, 6 * 60 * MINUTE);
    // Half of the rest of the day is over: half of the allowance is used, and not much less.
    expect(nexus.used).toBeLessThanOrEqual(250);
    expect(passes * 5).toBeGreaterThan(180);
  });

  it("slows nothing down that fits in it", async () => {
    const { watch, quota } = setUp(25_000, 100);
    expect(await watch(3, 2 * MINUTE, 60 * MINUTE)).toBe(30);
    expect(quota.status()).toMatchObject({ limit: 25_000, isSlowed: false });
  });

  it("is never reached, however many calls other clients make", async () => {
    const { nexus, watch, quota } = setUp(500, 440);
    expect(await watch(2, 2 * MINUTE, 60 * MINUTE)).toBeLessThan(10);
    expect(nexus.used).toBeLessThanOrEqual(470);
    expect(quota.status()).toMatchObject({ isSlowed: true });
  });

  it("starts over with the day", async () => {
    const { clock, nexus, quota } = setUp(500, 500);
    await quota.admit(signal, () => {});
    quota.spent(20);
    let isAdmitted = false;
    const waiting = quota
      .admit(signal, () => {})
      .then(() => {
        isAdmitted = true;
      });
    await clock.advance(11.9 * 60 * MINUTE);
    expect(isAdmitted).toBe(false);
    nexus.used = 0;
    await clock.advance(0.2 * 60 * MINUTE);
    await waiting;
    expect(quota.status()).toMatchObject({ remaining: 499 });
  });

  it("is requested every half hour, and after a plan limit", async () => {
    const { clock, nexus, quota } = setUp(25_000, 0);
    const admit = () => quota.admit(signal, () => {});
    for (let n = 0; n < 29; n++) {
      await admit();
      await clock.advance(MINUTE);
    }
    expect(nexus.asked).toBe(1);
    await clock.advance(MINUTE);
    await admit();
    expect(nexus.asked).toBe(2);
    const limit = new HttpError({
      kind: "status",
      service: "nexus",
      label: "GET /rest/v1/orders",
      status: 403,
      code: "plan_limit_exceeded",
      message: "",
      retryable: false,
      maybeSent: true,
    });
    expect(quota.met(limit)).toMatchObject({ code: "plan_limit_exceeded", retryAfterMs: 30 * MINUTE });
    await admit();
    expect(nexus.asked).toBe(3);
    expect(quota.met(new Error("else"))).toMatchObject({ message: "else" });
  });

  it.each([
    [{ usage: { api_calls_today: { used: 5, limit: -1, remaining: -1 } } }, { limit: null, remaining: null }],
    [{ usage: { api_calls_today: { used: 5, limit: 500 } } }, { limit: 500, remaining: 495 }],
    [{ usage: { api_calls_today: { used: "many", limit: 500 } } }, { limit: 500, remaining: null }],
    [
      { usage: { api_calls_today: {} }, plan_name: "Free" },
      { limit: null, plan: "Free" },
    ],
    [{ usage: {} }, null],
    [{}, null],
    [[], null],
    [null, null],
  ])("of an undocumented body is what can be read of it: %j", async (body, expected) => {
    const { nexus, quota } = setUp(1, 0);
    nexus.body = body;
    await quota.admit(signal, () => {
      throw new Error("nothing to wait for");
    });
    if (expected === null) expect(quota.status()).toBeNull();
    else expect(quota.status()).toMatchObject({ ...expected, isSlowed: false });
  });

  it("that Nexus does not report blocks nothing", async () => {
    for (const behaviour of [html(502), json({}, 404), json({ error: "x" }, 403)]) {
      const server = await serve((response, request, index) =>
        (request.url.includes("agent-auth") ? json({ access_token: "t", organization_id: "o" }) : behaviour)(
          response,
          request,
          index,
        ),
      );
      const { quota } = connect(server.origin);
      await quota.admit(signal, () => {});
      expect(quota.status()).toBeNull();
    }
  });
});

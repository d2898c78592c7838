// The local views: the services' last known data, from the store alone.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";
import { message, startTestControl, type TestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const session = (sessionId: string, changes: object = {}) => ({
  ...newSession({ sessionId, alias: null, baseUrl: "https://messaging.md", agentId: "nexusd" }),
  state: "joined",
  ...changes,
});

const remember = ({ store }: TestControl, ...sessions: ReturnType<typeof session>[]) =>
  store.commitObservation({
    source: "test",
    put: sessions.map((value) => ({ kind: "messaging.session", key: value.sessionId, value })),
  });

const insight = (type: string, time: string, id: number | bigint): NewEvent => ({
  type: "nex.insight.received",
  source: "/nex/insights",
  time,
  data: { insight: { id, type }, workspace: "w1", origin: "live" },
});

test("every view is empty before the first observation, and has no time", async () => {
  const { get } = await startTestControl();
  expect((await get("/v1/messaging/sessions")).json).toEqual({ asOf: null, sessions: [] });
  expect((await get("/v1/nex/insights")).json).toEqual({ asOf: null, insights: [], isCut: false });
  expect((await get("/v1/nexus/stock/low")).json).toEqual({ asOf: null, items: [] });
  expect((await get("/v1/nexus/orders/pending")).json).toEqual({ asOf: null, orders: [] });
});

describe("sessions", () => {
  test("show what is known, without their internal fields", async () => {
    const control = await startTestControl({ clock: createFakeClock() });
    const lastPolledAt = "2026-01-01T00:00:05.000Z";
    await remember(control, session("session-1", { alias: "ops", lastPolledAt, sessionKey: "do-not-serve" }));
    const { json, text } = await control.get("/v1/messaging/sessions");
    expect(json.asOf).toBe(lastPolledAt);
    expect(json.sessions).toEqual([
      {
        sessionId: "session-1",
        alias: "ops",
        baseUrl: "https://messaging.md",
        agentId: "nexusd",
        state: "joined",
        reason: null,
        cursor: null,
        generation: 1,
        ttlMs: null,
        expiresAt: null,
        lastPolledAt,
        joinedAt: null,
        isCreator: false,
        members: null,
      },
    ]);
    expect(text).not.toContain("do-not-serve");
  });

  test("messages come oldest first, of that session only, with their position in the log", async () => {
    const control = await startTestControl();
    await remember(control, session("session-1"), session("session-2"));
    await control.append(
      message("session-1"),
      message("session-2"),
      message("session-1"),
      message("session-1"),
    );
    const { json } = await control.get("/v1/messaging/sessions/session-1/messages?limit=2");
    expect(json).toMatchObject({
      sessionId: "session-1",
      messages: [{ sequence: 1, sessionId: "session-1", time: expect.any(String) }, { sequence: 3 }],
      next: 3,
    });
    const rest = await control.get(`/v1/messaging/sessions/session-1/messages?after=${json.next}`);
    expect(rest.json).toMatchObject({ messages: [{ sequence: 4 }], next: 4 });
  });

  test("messages after a position report what retention removed since, and refuse a position of another log", async () => {
    const control = await startTestControl();
    await remember(control, session("session-1"));
    await control.append(...Array.from({ length: 4 }, () => message("session-1")));
    await control.store.pruneEvents({ keep: 2 });
    const page = async (query: string) =>
      (await control.get(`/v1/messaging/sessions/session-1/messages?${query}`)).json;
    expect(await page("after=1")).toMatchObject({ gap: { from: 2, to: 2 }, messages: [{ sequence: 3 }, {}] });
    expect(await page(`after=2&epoch=${control.store.epoch}`)).toMatchObject({ gap: null });
    expect(await page("after=5")).toMatchObject({ status: 409, code: "cursor_ahead" });
    expect(await page("after=2&epoch=another")).toMatchObject({ status: 409, code: "epoch_changed" });
  });

  test("integers above 2^53 in a message are served digit for digit", async () => {
    const control = await startTestControl();
    await remember(control, session("session-1"));
    await control.append(message("session-1", { json: { id: 12345678901234567890n } }));
    const { text } = await control.get("/v1/messaging/sessions/session-1/messages");
    expect(text).toContain('"json":{"id":12345678901234567890}');
  });

  test("are found by id, by alias, and by the start of the id", async () => {
    const control = await startTestControl();
    await remember(
      control,
      session("abcdef-111", { alias: "ops" }),
      session("abcdeg-222", { alias: "abcdef" }),
    );
    const found = async (name: string) =>
      (await control.get(`/v1/messaging/sessions/${name}/messages`)).json.sessionId;
    expect(await found("abcdef-111")).toBe("abcdef-111");
    expect(await found("ops")).toBe("abcdef-111");
    expect(await found("abcdeg")).toBe("abcdeg-222");
    // An alias is chosen by the user; it goes before a prefix of another session's id.
    expect(await found("abcdef")).toBe("abcdeg-222");
    expect(await found("abcdef-")).toBe("abcdef-111");
  });

  test("an alias means the joined session, whatever had it before", async () => {
    const control = await startTestControl();
    await remember(
      control,
      session("session-old", { alias: "ops", state: "expired" }),
      session("session-new", { alias: "ops" }),
    );
    const { json } = await control.get("/v1/messaging/sessions/ops/messages");
    expect(json.sessionId).toBe("session-new");
  });

  test("unknown and ambiguous names are reported as such", async () => {
    const control = await startTestControl();
    await remember(control, session("abcdef-111"), session("abcdef-222"));
    const codeOf = async (name: string) =>
      (await control.get(`/v1/messaging/sessions/${name}/messages`)).json;
    expect(await codeOf("abcdef")).toMatchObject({ status: 409, code: "ambiguous_session" });
    expect(await codeOf("abcde")).toMatchObject({ status: 404, code: "session_not_found" });
    expect(await codeOf("other-session")).toMatchObject({ status: 404, code: "session_not_found" });
  });
});

describe("insights", () => {
  test("a search takes 10 words of at least 2 letters, and says so; in Chinese one character is a word", async () => {
    const { get } = await startTestControl();
    const status = async (text: string) =>
      (await get(`/v1/nex/insights?text=${encodeURIComponent(text)}`)).status;
    expect(await status("ab ".repeat(10))).toBe(200);
    expect(await status("款 R&D – מה")).toBe(200);
    const refused = await get(`/v1/nex/insights?text=${encodeURIComponent("ab ".repeat(11))}`);
    expect(refused).toMatchObject({ status: 400, json: { code: "invalid_request" } });
    expect(refused.text).toContain("at most 10 words, and has 11");
    expect(await status("a@b.example R&D e-mail it's so")).toBe(200);
    expect(await status("a-b-c-d-e-f-g-h-i-j-k")).toBe(400);
    expect(await status("款".repeat(100))).toBe(200);
    const long = await get(`/v1/nex/insights?text=${encodeURIComponent("款".repeat(102))}`);
    expect(long.text).toContain("at most 100 characters of scripts without spaces, and has 101");
    const short = await get("/v1/nex/insights?target=budget%20x");
    expect(short).toMatchObject({ status: 400, json: { errors: [{ path: "target" }] } });
    expect(short.text).toContain("at least 2 letters");
  });

  test("no search blocks the daemon, however many words of however many insights it matches", async () => {
    const { store, get } = await startTestControl();
    const content = `${"a-b-c ".repeat(20)}的一是不了人 the number`;
    for (let n = 0; n < 20_000; n += 1000) {
      const events = Array.from({ length: 1000 }, (_, index): NewEvent => {
        const insight = { content: content + (n + index), target: { hint: `person${n + index}` } };
        const data = { insight, workspace: null, origin: "live" as const };
        return { type: "nex.insight.received", source: "/nex/insights", data };
      });
      await store.commitObservation({ source: "test", events });
    }
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    for (const text of [
      ...["a-b-c-a-b-c-a-b-c-z", Array.from("abc".repeat(80)).join("-"), "的一是不了".repeat(99)],
      ...["nu num numb numbe number number1 number2 number3 number4 zz", "的 一 是 不 了 人 款"],
      ...["的一是不了".repeat(19), "ab ".repeat(100)],
    ])
      expect([200, 400]).toContain((await get(`/v1/nex/insights?text=${encodeURIComponent(text)}`)).status);
    delay.disable();
    expect(delay.max / 1e6, "ms").toBeLessThan(400);
  });

  test("come newest first, filtered by type, time and count", async () => {
    const control = await startTestControl({ clock: createFakeClock() });
    await control.store.commitObservation({
      source: "nex.insights",
      cursor: { coveredUntil: "2026-03-01T00:00:00.000Z" },
      events: [
        insight("opportunity", "2026-03-01T10:00:00.000Z", 1),
        insight("risk", "2026-03-01T11:00:00.000Z", 2),
        insight("opportunity", "2026-03-01T12:00:00.000Z", 12345678901234567890n),
      ],
    });
    const { json, text } = await control.get("/v1/nex/insights");
    expect(json.asOf).toBe("2026-01-01T00:00:00.000Z");
    expect(json.insights.map(({ sequence }: { sequence: number }) => sequence)).toEqual([3, 2, 1]);
    expect(json.insights[1]).toEqual({
      sequence: 2,
      time: "2026-03-01T11:00:00.000Z",
      insight: { id: 2, type: "risk" },
      workspace: "w1",
      origin: "live",
    });
    expect(text).toContain('"id":12345678901234567890');

    const sequences = async (query: string) =>
      (await control.get(`/v1/nex/insights?${query}`)).json.insights.map(
        (one: { sequence: number }) => one.sequence,
      );
    expect(await sequences("type=opportunity")).toEqual([3, 1]);
    expect(await sequences("type=opportunity&limit=1")).toEqual([3]);
    expect(await sequences("since=2026-03-01T11:00:00Z")).toEqual([3, 2]);
    expect(await sequences("since=2026-03-01T13:00:00%2B02:00")).toEqual([3, 2]);
    expect(await sequences("since=2026-03-01T13:00:00+02:00")).toEqual([3, 2]);
    expect(await sequences("since=2026-03-01T11:00:00Z&until=2026-03-01T11:59:59Z")).toEqual([2]);
  });

  test("are found by words, subject and confidence, even after their events are gone", async () => {
    const { store, get } = await startTestControl();
    const event = (insight: object): NewEvent => ({
      ...{ type: "nex.insight.received", source: "/nex/insights" },
      data: { insight, workspace: null, origin: "live" },
    });
    await store.commitObservation({
      source: "nex.insights",
      events: [
        event({ content: "Budget approved", confidence: 0.9, target: { hint: "Jane Doe" } }),
        event({ content: "Budget frozen", confidence: 0.4, target: { hint: "John Smith" } }),
      ],
    });
    await store.pruneEvents({ keep: 0 });
    const found = async (query: string) =>
      (await get(`/v1/nex/insights?${query}`)).json.insights.map(
        ({ sequence }: { sequence: number }) => sequence,
      );
    expect(await found("text=budget")).toEqual([2, 1]);
    expect(await found("text=budget+appr")).toEqual([1]);
    expect(await found("target=john+smith")).toEqual([2]);
    expect(await found("text=budget&minConfidence=0.5")).toEqual([1]);
    expect(await found("text=%22")).toEqual([]);
  });

  test.each([
    "since=yesterday",
    "since=2026-03-01",
    "since=2026-02-30T00:00:00Z",
    "limit=0",
    "type=",
    "text=",
    "target=%20",
    "minConfidence=2",
    "minConfidence=",
    "minConfidence=1e-1",
    "until=now",
  ])("%s is refused", async (query) => {
    const { get } = await startTestControl();
    expect((await get(`/v1/nex/insights?${query}`)).json).toMatchObject({
      status: 400,
      code: "invalid_request",
    });
  });
});

describe("nexus", () => {
  test("low stock is the current set, as of the last complete reading", async () => {
    const control = await startTestControl({ clock: createFakeClock() });
    const item = {
      itemId: "i1",
      sku: "SKU-1",
      name: "Bolt",
      warehouseId: "w1",
      availableQuantity: 2,
      threshold: 10,
      lowSince: "2026-01-01T00:00:00.000Z",
    };
    await control.store.commitObservation({
      source: "nexus-low-stock",
      cursor: { completedAt: "2026-01-01T00:00:00.000Z" },
      put: [{ kind: "nexus.stock.low", key: "row-1", value: item }],
    });
    expect((await control.get("/v1/nexus/stock/low")).json).toEqual({
      asOf: "2026-01-01T00:00:00.000Z",
      items: [item],
    });
  });

  test("pending orders are the current set, with amounts digit for digit", async () => {
    const control = await startTestControl({ clock: createFakeClock() });
    const order = {
      orderId: "o1",
      orderNumber: "N-1",
      orderStatus: "pending",
      totalAmount: "12345678901234567890.10",
      currency: "USD",
      customerId: null,
      createdAt: null,
      pendingSince: "2026-01-01T00:00:00.000Z",
      overdue: true,
    };
    await control.store.commitObservation({
      source: "nexus-pending-orders",
      cursor: { completedAt: "2026-01-01T00:00:00.000Z" },
      put: [
        { kind: "nexus.order.pending", key: "o1", value: order },
        {
          kind: "nexus.order.pending",
          key: "o2",
          value: { ...order, orderId: "o2", totalAmount: 98765432109876543210n },
        },
      ],
    });
    const { json, text } = await control.get("/v1/nexus/orders/pending");
    expect(json).toMatchObject({ asOf: "2026-01-01T00:00:00.000Z", orders: [order, { orderId: "o2" }] });
    expect(text).toContain('"totalAmount":98765432109876543210');
  });
});

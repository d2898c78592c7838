// Times from services without a zone, on a machine that has one.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { instantOf } from "../../src/core/instant.ts";
import { afterJoin } from "../../src/services/messaging/membership/membership.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";
import { createdAt, insightDedupe } from "../../src/services/nex/insights.ts";
import { readFeed } from "../../src/services/nex/notifications.ts";
import { orderWatch } from "../../src/services/nexus/orders.ts";

const TEN = Date.UTC(2026, 10, 30, 10);
const WITHOUT_ZONE = "2026-11-30T10:00:00";

const before = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "America/New_York";
  // Otherwise nothing here could fail.
  expect(Date.parse(WITHOUT_ZONE)).not.toBe(TEN);
});
afterAll(() => {
  if (before === undefined) delete process.env.TZ;
  else process.env.TZ = before;
});

it.each([
  WITHOUT_ZONE,
  "2026-11-30 10:00:00",
  "2026-11-30T10:00:00.000999",
  "2026-11-30T10:00:00Z",
  "2026-11-30t10:00:00z",
  "2026-11-30 10:00:00+00",
  "2026-11-30T15:30:00+0530",
  "2026-11-30T05:00:00.000-05:00",
  "2026-11-30 10:00:00 UTC",
  "Mon, 30 Nov 2026 10:00:00 GMT",
])("%s is ten o'clock in UTC", (text) => {
  expect(instantOf(text)).toBe(TEN);
});

it.each(["", "infinity", "-infinity", "soon", "10:00", "null"])("%j is not a time", (text) => {
  expect(instantOf(text)).toBeNaN();
});

it("a date without a time is midnight in UTC", () => {
  expect(instantOf("2026-11-30")).toBe(Date.UTC(2026, 10, 30));
});

describe("a time without a zone is UTC", () => {
  it("in an insight, which equals the same one with a zone", () => {
    const insight = { type: "risk", content: "a", created_at: WITHOUT_ZONE };
    expect(createdAt(insight)).toBe(TEN);
    const again = insightDedupe({ ...insight, created_at: "2026-11-30T10:00:00Z" });
    expect(insightDedupe(insight)).toEqual(again);
  });

  it("in a notification, up to which the feed is read", async () => {
    const list = async () => [{ id: "a", sent_at: WITHOUT_ZONE }];
    const position = { coveredUntil: TEN - 60_000 };
    for await (const page of readFeed(list, () => TEN + 60_000, position))
      expect(page.position.coveredUntil).toBe(TEN);
  });

  it("in an order, which is pending since then", () => {
    const { state } = orderWatch.edges({
      settings: { columns: {}, status: "pending", overdue_after: 60_000 },
      row: { id: "1", order_status: "pending", created_at: WITHOUT_ZONE },
      before: undefined,
      now: TEN + 1000,
      isOlder: () => false,
      lastPassAt: null,
    });
    expect(state?.pendingSince).toBe("2026-11-30T10:00:00.000Z");
  });

  it("in the end of a session", () => {
    const session = newSession({ sessionId: "s", alias: null, baseUrl: "https://m.example", agentId: "a" });
    const { expiresAt } = afterJoin(session, TEN, { expiresAt: WITHOUT_ZONE, sessionKey: "key" }).session;
    expect(expiresAt).toBe("2026-11-30T10:00:00.000Z");
  });
});

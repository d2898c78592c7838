// Paging in a feed that returns at most fifty: everything sent is given, or reported as missing.

import { expect, test } from "vitest";
import {
  FEED_LIMIT,
  type FeedPosition,
  notificationDedupe,
  readFeed,
  readNotifications,
} from "../../../src/services/nex/notifications.ts";
import fc from "../../support/fc.ts";

const START = Date.parse("2026-03-01T00:00:00Z");
const AT_START = { coveredUntil: START };
const item = (id: number, ms: number) => ({ id: `n${id}`, sent_at: new Date(ms).toISOString() });

test("everything that was sent is given, or in a gap, whether the feed is oldest or newest first", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("oldest", "newest"),
      // This many within this many milliseconds, then a poll.
      fc.array(fc.tuple(fc.integer({ min: 0, max: 180 }), fc.constantFrom(0, 1, 10_000, 3_600_000)), {
        maxLength: 6,
      }),
      async (order, bursts) => {
        const sent: { id: string; sent_at: string }[] = [];
        const seen = new Set<unknown>();
        const gaps: { from: number; to: number }[] = [];
        let calls = 0;
        const list = async (since: number | undefined) => {
          calls += 1;
          const after = sent.filter((one) => since === undefined || Date.parse(one.sent_at) > since);
          return (order === "oldest" ? after : after.toReversed()).slice(0, FEED_LIMIT);
        };
        let now = START;
        let position: FeedPosition = { coveredUntil: START };
        for (const [count, spread] of bursts) {
          for (let n = 0; n < count; n++)
            sent.push(item(sent.length, now + 1 + Math.floor((n * spread) / count)));
          now += spread + 600_000;
          for await (const { notifications, position: next, gap } of readFeed(list, () => now, position)) {
            for (const { id } of notifications) seen.add(id);
            if (gap) gaps.push(gap);
            position = next;
            expect(position.coveredUntil).toBeLessThanOrEqual(now);
          }
        }
        const isMissing = (one: { sent_at: string }) =>
          gaps.some(({ from, to }) => from <= Date.parse(one.sent_at) && Date.parse(one.sent_at) <= to);
        expect(sent.filter((one) => !seen.has(one.id) && !isMissing(one))).toEqual([]);
        expect(calls).toBeLessThanOrEqual(bursts.length + (2 * sent.length) / (FEED_LIMIT - 1) + 12);
        // A feed that was never full has no gap.
        if (bursts.every(([count]) => count < FEED_LIMIT / 3)) expect(gaps).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

test("a page is given oldest first, in either feed order", async () => {
  const page = [item(1, START), item(2, START + 1), item(3, START + 1)];
  for (const list of [page, [...page].reverse()])
    for await (const { notifications } of readFeed(
      async () => list,
      () => START,
      AT_START,
    ))
      expect(notifications.map(({ id }) => id)).toEqual(["n1", "n2", "n3"]);
});

test("pages without times, or with invalid ones, end", async () => {
  for (const sent_at of [undefined, null, "soon", {}, 7n]) {
    const list = async () => Array.from({ length: FEED_LIMIT }, (_, id) => ({ id, sent_at }));
    let pages = 0;
    for await (const _ of readFeed(list, () => START, AT_START)) pages += 1;
    expect(pages).toBe(1);
  }
});

test("a feed that ignores the time ends all the same", async () => {
  const list = async () => Array.from({ length: FEED_LIMIT }, (_, id) => item(id, START + id));
  let pages = 0;
  for await (const _ of readFeed(list, () => START, AT_START)) pages += 1;
  expect(pages).toBeLessThanOrEqual(4);
});

test("a notification is identified by its id, or by all its content without one", () => {
  const key = (one: Record<string, unknown>) => notificationDedupe(one).match[0];
  expect(key({ id: "a", status: "read" })).toBe(key({ id: "a", status: "unread" }));
  expect(key({ id: 7 })).toBe(key({ id: 7n }));
  expect(key({ id: "a" })).not.toBe(key({ id: "b" }));
  expect(key({ type: "digest" })).toBe(key({ type: "digest" }));
  expect(key({ type: "digest" })).not.toBe(key({ type: "alert" }));
});

test.each([
  [{ items: [{ id: "a" }] }, 1],
  [{ data: [{ id: "a" }] }, 1],
  [[{ id: "a" }, null, 7], 1],
  [{ items: [] }, 0],
  [{}, undefined],
  [null, undefined],
  [{ items: {} }, undefined],
])("%j has %s notifications", (body, count) => {
  expect(readNotifications(body)?.length).toBe(count);
});

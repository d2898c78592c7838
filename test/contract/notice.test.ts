import { expect, test } from "vitest";

import { noticeOf, noticeText } from "../../src/contract/notice.ts";
import { notice } from "../../src/contract/notice-shape.ts";
import type { Pending } from "../../src/contract/store.ts";
import fc from "../support/fc.ts";

const pending: Pending = {
  ...{ count: 3, isMore: false, oldest: 41, newest: 43, oldestAt: "2026-03-01T00:00:00.000Z" },
  types: { "nexusd.messaging.message.received": 2, "nexusd.nexus.stock.low": 1 },
};

test("a notice says how many events, from where to where, and of which types", () => {
  expect(noticeText(noticeOf("me", pending))).toBe(
    'nexusd: 3 events for the consumer "me" (41 to 43): 2 messaging.message.received, 1 nexus.stock.low',
  );
  expect(noticeText(noticeOf("me", { ...pending, isMore: true }, { sink: "s", isTest: true }))).toBe(
    'nexusd: more than 3 events for the consumer "me" (41 to 43): 2 messaging.message.received, 1 nexus.stock.low. This is a test.',
  );
  expect(noticeText(noticeOf("me", { ...pending, count: 1, newest: 41, types: {} }))).toBe(
    'nexusd: 1 event for the consumer "me" (41)',
  );
});

test("whatever types a job has logged, a notice is valid, one line, and limited to its own characters", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 9 })), (types) => {
      const given = noticeOf("me", { ...pending, types });
      expect(notice.parse(given)).toEqual(given);
      expect(noticeText(given)).toMatch(/^[\w .,:()"-]+$/);
    }),
  );
});

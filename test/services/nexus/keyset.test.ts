// Cursors: opaque, bound to one order, and never more than a position.

import { describe, expect, test } from "vitest";
import { createKeyset } from "../../../src/services/nexus/keyset.ts";
import { quoted } from "../../../src/services/nexus/query.ts";
import fc from "../../support/fc.ts";

const newest = createKeyset([
  { column: "created_at", descending: true },
  { column: "id", descending: true },
]);
const unread = createKeyset([
  { column: "last_message_time", descending: true, nullsLast: true },
  { column: "id" },
]);

test("the condition keeps a timestamp's text, with all its digits", () => {
  const row = { created_at: "2026-11-21T00:27:04.129736+00:00", id: "a" };
  expect(newest.after(newest.cursorOf(row))).toBe(
    '(created_at.lt."2026-11-21T00:27:04.129736+00:00",' +
      'and(created_at.eq."2026-11-21T00:27:04.129736+00:00",id.lt."a"))',
  );
});

test("NULLs come where the order puts them", () => {
  expect(unread.order).toBe("last_message_time.desc.nullslast,id.asc");
  expect(unread.after(unread.cursorOf({ last_message_time: null, id: "a" }))).toBe(
    '(and(last_message_time.is.null,id.gt."a"),and(last_message_time.is.null,id.is.null))',
  );
  expect(newest.after(newest.cursorOf({ created_at: null, id: "a" }))).toBe(
    '(created_at.not.is.null,and(created_at.is.null,id.lt."a"))',
  );
});

test("a value inside quotes cannot close them", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (value) => {
      const text = quoted(value);
      // PostgREST's reading between the quotes: a backslash takes the next character literally.
      const inner = /^"((?:[^"\\]|\\[\s\S])*)"$/.exec(text)?.[1];
      expect(inner?.replace(/\\([\s\S])/g, "$1")).toBe(value);
    }),
    { numRuns: 1000 },
  );
});

describe("a cursor", () => {
  test.each([
    ["of nothing", ""],
    ["that is no JSON", Buffer.from("[").toString("base64url")],
    ["of another order", unread.cursorOf({ last_message_time: null, id: "a" })],
    ["with a value too few", Buffer.from('["created_at.desc,id.desc","a"]').toString("base64url")],
    ["with an object", Buffer.from('["created_at.desc,id.desc",{},"a"]').toString("base64url")],
    ["that is too long", "a".repeat(5000)],
  ])("%s is refused", (_, cursor) => {
    expect(newest.cursor().safeParse(cursor).success).toBe(false);
    expect(() => newest.after(cursor)).toThrow("does not belong to this order");
  });

  test("keeps integers above 2^53, and refuses numbers that were rounded on the way", () => {
    const byAmount = createKeyset([{ column: "amount" }]);
    expect(byAmount.after(byAmount.cursorOf({ amount: 9007199254740993n }))).toContain('"9007199254740993"');
    expect(byAmount.after(byAmount.cursorOf({ amount: -0.1 }))).toContain('"-0.1"');
    for (const amount of [0.1 + 0.2, 1e300 / 3, {}, [1], undefined])
      expect(() => byAmount.cursorOf({ amount })).toThrow("cannot be paged by amount");
  });
});

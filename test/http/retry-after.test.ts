import { describe, expect, test } from "vitest";
import { parseRetryAfter } from "../../src/http/retry-after.ts";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

describe("Retry-After", () => {
  test.each([
    ["0", 0],
    ["30", 30_000],
    [" 30 ", 30_000],
    ["Thu, 01 Jan 2026 12:00:30 GMT", 30_000],
    ["Thursday, 01-Jan-26 12:00:30 GMT", 30_000],
    ["Thu Jan  1 12:00:30 2026", 30_000],
  ])("%j is a wait", (value, expected) => {
    expect(parseRetryAfter(value, NOW)).toBe(expected);
  });

  test("a date in the past means at once", () => {
    expect(parseRetryAfter("Thu, 01 Jan 2026 11:00:00 GMT", NOW)).toBe(0);
  });

  test.each(["86400", "99999999999999999999999", "Fri, 01 Jan 2027 12:00:00 GMT"])(
    "%j is honoured for one hour",
    (value) => {
      expect(parseRetryAfter(value, NOW)).toBe(3_600_000);
    },
  );

  test.each([
    undefined,
    "",
    "soon",
    "-5",
    "1.5",
    "1e3",
    "0x10",
    "30, 60",
    "2026-01-01",
    "Thu, 99 Jan 2026",
    "Infinity",
  ])("%j is not a wait", (value) => {
    expect(parseRetryAfter(value, NOW)).toBeUndefined();
  });
});

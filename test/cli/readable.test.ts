import { describe, expect, it } from "vitest";
import { readable } from "../../src/cli/terminal/readable.ts";
import { width } from "../../src/core/text/visible.ts";
import fc from "../support/fc.ts";

const ORDERS = [
  { orderNumber: "NX-1", status: "pending", total: 12.5, tags: ["a"] },
  { orderNumber: "NX-2", status: "shipped", total: 48066188026052610n, note: null },
];

describe("a service's answer", () => {
  it("is a table if its rows fit", () => {
    expect(readable({ orders: ORDERS }, 80)).toStrictEqual([
      "ORDERNUMBER  STATUS   TOTAL              TAGS   NOTE",
      'NX-1         pending  12.5               ["a"]  -',
      "NX-2         shipped  48066188026052610  -      -",
    ]);
  });

  it("is one fact per line if they do not, and nothing is left out", () => {
    expect(readable({ orders: ORDERS, total: 2 }, 40)).toStrictEqual([
      "total  2",
      "",
      "orders:",
      ...["orderNumber  NX-1", "status       pending", "total        12.5", 'tags         ["a"]', ""],
      ...["orderNumber  NX-2", "status       shipped", "total        48066188026052610", "note         -"],
    ]);
    expect(readable({ order: { id: 1n } }, 40)).toStrictEqual(["id  1"]);
    expect(readable({ ok: true, order: { id: 1n, deep: { of: { it: {} } } } }, 40)).toStrictEqual([
      ...["ok  true", "", "order:", "id  1", "", "deep:", 'of  {"it":{}}'],
    ]);
    for (const [value, lines] of [
      [[], ["none"]],
      [null, ["-"]],
      ["plain", ["plain"]],
      [
        [1, "two"],
        ["- 1", "- two"],
      ],
    ] as const)
      expect(readable(value, 40)).toStrictEqual(lines);
  });

  it("fits the terminal whatever it is, and controls nothing in it", () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.array(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue())),
    );
    fc.assert(
      fc.property(value, fc.integer({ min: 12, max: 100 }), (value, columns) => {
        for (const line of readable(value, columns)) {
          expect(width(line)).toBeLessThanOrEqual(columns);
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        }
      }),
    );
  });
});

import { describe, expect, it, test } from "vitest";
import { aboutOf } from "../../src/contract/write-about.ts";
import fc from "../support/fc.ts";

const ID = "0a000000-0000-4000-8000-000000000505";

describe("the subject of a write", () => {
  it.each([
    [
      ["nexus.orders.update_status", { orderId: ID, orderStatus: "shipped" }],
      { orderNumber: "NX-1006", orderStatus: "pending" },
      "order NX-1006: pending to shipped",
    ],
    [
      ["nexus.orders.update_status", { orderId: ID, orderStatus: "shipped" }],
      { orderNumber: null, orderStatus: "pending" },
      "order 0a000000…: pending to shipped",
    ],
    [
      ["nexus.customers.update_tags", { customerId: ID, tags: ["a"] }],
      { firstName: "Maria", lastName: "Lopez", tags: [] },
      'customer Maria Lopez: [] to ["a"]',
    ],
    [
      ["messaging.messages.send", { session: "ops", text: "the shelf is empty" }],
      { state: "joined" },
      'send message ops: text "the shelf is empty"',
    ],
    [["nex.records.delete", { recordId: "48066188026052610" }], { id: 1 }, "delete record 48066188026052610"],
    [["nex.lists.create", { name: "Leads", slug: "leads" }], null, "create list Leads: slug leads"],
    [["messaging.sessions.leave", { session: "ops" }], null, "leave session ops"],
    [["nexus.mcp.get_weather", { city: "Cairo" }], null, "get weather mcp: city Cairo"],
    [["nexus.mcp.make", { constructor: "x", toString: 1 }], { id: 1 }, "make mcp: constructor x, toString 1"],
    [["nex.compounding.trigger", {}], null, "trigger compounding"],
    [["nexus.addresses.create", undefined], null, "create address"],
    [["nex.entities.create", "no object"], null, "create entity"],
  ] as const)("%j, for %j", ([operation, input], before, about) => {
    expect(aboutOf({ operation, input, before })).toBe(about);
  });

  test("whatever it holds, it is short, and long or foreign text cannot close its quotes", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything({ withBigInt: true })),
        fc.anything(),
        (input, before) => {
          const about = aboutOf({ operation: "a.b.c", input, before });
          expect([...about].length).toBeLessThanOrEqual(160);
        },
      ),
    );
    const about = aboutOf({
      operation: "a.notes.create",
      input: { text: 'x": pending to "shipped' },
      before: null,
    });
    expect(about).toBe('create note: text "x\\": pending to \\"shipped"');
  });
});

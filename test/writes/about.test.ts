import { describe, expect, it } from "vitest";
import type { LocalView } from "../../src/services/operation.ts";
import { aboutWrite } from "../../src/writes/about.ts";
import fc from "../support/fc.ts";

const ID = "0a000000-0000-4000-8000-000000000505";
const AS_OF = "2026-01-01T00:00:00.000Z";
const order = { operation: "nexus.orders.update_status", input: { orderId: ID, orderStatus: "shipped" } };
const about = (
  aim: { operation: string; input: unknown; before?: unknown },
  view?: LocalView,
  subject?: (name: string) => string,
) => aboutWrite({ before: null, ...aim }, { view, subject });

describe("the summary of a write, for the person who decides", () => {
  it("names the target as people do, and the change from old to new", () => {
    expect(about({ ...order, before: { orderNumber: "NX-1006", orderStatus: "pending" } })).toEqual({
      text: "order NX-1006: pending → shipped",
      target: { kind: "order", id: ID, label: "NX-1006" },
      changes: [{ field: "orderStatus", from: "pending", to: "shipped", now: null }],
      asOf: null,
    });
  });

  it("takes a name from stored data, and says how old that is", () => {
    const view = { label: "NX-1006", fields: { orderStatus: "pending" }, asOf: AS_OF };
    expect(about(order, view)).toEqual({
      text: "order NX-1006: orderStatus pending (as last seen) → shipped",
      target: { kind: "order", id: ID, label: "NX-1006" },
      changes: [{ field: "orderStatus", from: null, to: "shipped", now: "pending" }],
      asOf: AS_OF,
    });
  });

  it("says if the old value is unknown", () => {
    expect(about(order)).toMatchObject({
      text: "update status order 0a000000…: orderStatus (now unknown) → shipped",
      target: { kind: "order", id: ID },
      changes: [{ field: "orderStatus", from: null, to: "shipped", now: null }],
      asOf: null,
    });
    expect(about(order).target).not.toHaveProperty("label");
  });

  it("says if the target has changed since the proposal", () => {
    const view = { label: null, fields: { orderStatus: "confirmed" }, asOf: AS_OF };
    const before = { orderNumber: "NX-1006", orderStatus: "pending" };
    expect(about({ ...order, before }, view).text).toBe(
      "order NX-1006: pending → shipped (last seen as confirmed)",
    );
  });

  it("uses the service's own words, if it has some", () => {
    const aim = { operation: "messaging.messages.send", input: { session: ID, text: "the shelf is empty" } };
    const view = { label: "lobby", fields: {}, asOf: null };
    const words = (name: string) => `message to session ${name}`;
    expect(about(aim, view, words).text).toBe('message to session lobby: text "the shelf is empty"');
  });

  it("names no target for something new", () => {
    const aim = { operation: "nex.lists.create", input: { name: "Leads", slug: "leads" } };
    expect(about(aim)).toMatchObject({ text: "create list Leads: slug leads", target: null });
  });

  it("contains only values of the request, whatever is known about the target", () => {
    const view = { label: "NX-1", fields: { orderStatus: "delivered", total: 5 }, asOf: AS_OF };
    const { changes } = about({ ...order, before: { orderStatus: "pending", total: 7 } }, view);
    expect(changes.map(({ field, to }) => [field, to])).toEqual([["orderStatus", "shipped"]]);
  });

  it("quotes a name or value that could be mistaken for its own words", () => {
    const before = { orderNumber: "NX-1: pending → cancelled", orderStatus: 'x" → "y' };
    expect(about({ ...order, before }).text).toBe(
      'order "NX-1: pending → cancelled": "x\\" → \\"y" → shipped',
    );
  });

  it("shows invisible characters, and shortens long text with both its quotes", () => {
    const input = { orderId: ID, note: `\u202egnp ${"a b".repeat(5000)}` };
    const { text, changes } = about({ operation: "nexus.orders.annotate", input });
    expect(text).toMatch(/^annotate order 0a000000…: note "\\u\{202e\}gnp a b[^"]*…"$/);
    expect(changes[0]?.to.length).toBeLessThan(520);
  });

  it("never fails, for any input", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.anything({ withBigInt: true })),
        fc.anything(),
        fc.dictionary(fc.string(), fc.anything()),
        (input, before, fields) => {
          const said = about({ operation: "a.b.update", input, before }, { label: null, fields, asOf: null });
          expect(said.text).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        },
      ),
    );
  });
});

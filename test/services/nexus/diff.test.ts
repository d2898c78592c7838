import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Row } from "../../../src/services/nexus/client.ts";
import { diffOrders, type StoredOrder } from "../../../src/services/nexus/orders.ts";
import { diffStock, type LowStock, readUpTo } from "../../../src/services/nexus/stock.ts";

const settings = { threshold: 10, recover_above: 12, per_sku: { RARE: 3 } };
const stockRow = (id: string, quantity: number | null, sku: string | null = `SKU-${id}`): Row => ({
  id,
  item_id: `item-${id}`,
  warehouse_id: "w",
  available_quantity: quantity,
  items: sku === null ? null : { sku, name: "Thing" },
});

/** The watch as the job runs it, over a shop that is a plain map. */
function watchStock() {
  const stored = new Map<string, LowStock>();
  return (shop: Map<string, Row>) => {
    const isRead = (row: Row) =>
      typeof row.available_quantity === "number" && row.available_quantity <= readUpTo(settings);
    const current = new Map([...shop].filter(([, row]) => isRead(row)));
    const departed = new Map([...shop].filter(([id]) => stored.has(id) && !current.has(id)));
    const changes = diffStock(stored, { current, departed }, settings, "2026-11-20T00:00:00.000Z");
    for (const { key } of changes.remove) stored.delete(key);
    for (const { key, value } of changes.put) stored.set(key, value as LowStock);
    return changes.events.map(({ type, subject }) => `${type.split(".").at(-1)} ${subject}`);
  };
}
const shop = (...rows: Row[]) => new Map(rows.map((row) => [row.id, row]));

describe("low stock", () => {
  it("is reported by its edges, with hysteresis", () => {
    const look = watchStock();
    expect(look(shop(stockRow("a", 10)))).toEqual([]);
    expect(look(shop(stockRow("a", 9)))).toEqual(["low SKU-a"]);
    expect(look(shop(stockRow("a", 11)))).toEqual([]);
    expect(look(shop(stockRow("a", 12)))).toEqual([]);
    expect(look(shop(stockRow("a", 13)))).toEqual(["recovered SKU-a"]);
    expect(look(shop(stockRow("a", -4)))).toEqual(["low SKU-a"]);
  });

  it("a SKU with a threshold of its own recovers as far above it", () => {
    const look = watchStock();
    expect(look(shop(stockRow("r", 3, "RARE")))).toEqual([]);
    expect(look(shop(stockRow("r", 2, "RARE")))).toEqual(["low RARE"]);
    expect(look(shop(stockRow("r", 5, "RARE")))).toEqual([]);
    expect(look(shop(stockRow("r", 6, "RARE")))).toEqual(["recovered RARE"]);
  });

  it("a quantity that became NULL is no recovery, a row that was deleted is", () => {
    const look = watchStock();
    look(shop(stockRow("a", 1)));
    expect(look(shop(stockRow("a", null)))).toEqual([]);
    expect(look(shop())).toEqual(["recovered SKU-a"]);
  });

  it("low and recovered alternate for every item whatever its stock does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.integer({ min: -5, max: 20 })), { maxLength: 60 }),
        (moves) => {
          const look = watchStock();
          const rows = new Map<string, Row>();
          const state = new Map<string, string>();
          for (const [n, quantity] of moves) {
            rows.set(`${n}`, stockRow(`${n}`, quantity));
            for (const edge of look(rows)) {
              const [kind = "", sku = ""] = edge.split(" ");
              expect(kind).not.toBe(state.get(sku) ?? "recovered");
              state.set(sku, kind);
            }
            if (quantity < 10) expect(state.get(`SKU-${n}`)).toBe("low");
            if (quantity > 12) expect(state.get(`SKU-${n}`) ?? "recovered").toBe("recovered");
          }
        },
      ),
    );
  });
});

describe("pending orders", () => {
  const NOW = Date.UTC(2026, 10, 20, 12);
  const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();
  const order = (id: string, order_status: string, created_at = minutesAgo(5)): Row => ({
    id,
    order_number: `#${id}`,
    order_status,
    total_amount: 450,
    currency: "EGP",
    customer_id: null,
    created_at,
  });
  const reading = (current: Row[], departed: Row[] = []) => ({
    current: shop(...current),
    departed: shop(...departed),
  });
  const at = (now: number, lastReadAt: number | null = now - 60_000) => ({
    overdueAfterMs: 1_800_000,
    lastReadAt,
    now,
  });
  const stored = (changes: ReturnType<typeof diffOrders>) =>
    new Map(changes.put.map(({ key, value }) => [key, value as StoredOrder]));
  const types = (changes: ReturnType<typeof diffOrders>) =>
    changes.events.map(({ type }) => type.split(".").at(-1));

  it("pending, overdue once a stay, advanced", () => {
    const first = diffOrders(new Map(), reading([order("1", "pending")]), at(NOW, null));
    expect(types(first)).toEqual(["pending"]);
    const later = diffOrders(stored(first), reading([order("1", "pending")]), at(NOW + 1_800_000));
    expect(types(later)).toEqual(["overdue"]);
    const still = diffOrders(stored(later), reading([order("1", "pending")]), at(NOW + 3_600_000));
    expect(types(still)).toEqual([]);
    const gone = diffOrders(stored(later), reading([], [order("1", "shipped")]), at(NOW + 3_700_000));
    expect(gone.events).toMatchObject([
      { type: "nexus.order.advanced", data: { orderStatus: "shipped", removed: false } },
    ]);
  });

  it("an order that vanished has advanced to nowhere", () => {
    const first = diffOrders(new Map(), reading([order("1", "pending")]), at(NOW));
    const gone = diffOrders(stored(first), reading([]), at(NOW));
    expect(gone.events).toMatchObject([{ data: { orderStatus: "pending", removed: true } }]);
  });

  it("an old order that comes back to pending begins a new stay", () => {
    const back = diffOrders(new Map(), reading([order("1", "pending", minutesAgo(500))]), at(NOW));
    expect(types(back)).toEqual(["pending"]);
    expect(back.put).toMatchObject([
      { value: { pendingSince: new Date(NOW).toISOString(), overdue: false } },
    ]);
  });
});

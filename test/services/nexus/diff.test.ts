import { describe, expect, it } from "vitest";
import type { NewEvent } from "../../../src/contract/new-event.ts";
import type { Row } from "../../../src/services/nexus/client.ts";
import { conversationWatch } from "../../../src/services/nexus/conversations.ts";
import { orderWatch } from "../../../src/services/nexus/orders.ts";
import { shipmentWatch } from "../../../src/services/nexus/shipments.ts";
import { type StockSettings, stockWatch } from "../../../src/services/nexus/stock.ts";
import fc from "../../support/fc.ts";
import { follow, readShop, uuid } from "./shop.ts";

const told = (events: NewEvent[]) =>
  events.map(({ type, subject }) => `${type.split(".").at(-1)} ${subject}`);
const ANY_ROW: Row = { id: uuid(0) };

describe("low stock", () => {
  const settings: StockSettings = {
    threshold: 10,
    recover_above: 12,
    per_sku: { RARE: 3 },
    min_stock_level: true,
    columns: {},
  };
  interface Place {
    quantity: number | null;
    sku?: string;
    level?: number;
    warehouse?: string;
  }
  /** The stock of the warehouses; the table is never empty, because that is not believed. */
  function watchStock(changed: Partial<StockSettings> = {}) {
    let stock: Record<string, Place> = {};
    const rows = () =>
      Object.entries(stock).map(
        ([n, { quantity, sku = `SKU-${n}`, level = 0, warehouse = "w" }]): Row => ({
          id: uuid(n),
          item_id: `item-${n}`,
          warehouse_id: warehouse,
          available_quantity: quantity,
          items: { sku, name: "Thing", min_stock_level: level },
        }),
      );
    const items = () =>
      Object.entries(stock).map(([n, { level = 0 }]): Row => ({ id: uuid(n), min_stock_level: level }));
    const shop = readShop({ stock_balances: () => [ANY_ROW, ...rows()], items });
    const watch = follow(shop, stockWatch, { ...settings, ...changed });
    return async (now: Record<string, Place>) => {
      stock = now;
      return told(await watch.look());
    };
  }

  it("reports each change once, with hysteresis; negative stock is low", async () => {
    const look = watchStock();
    const edges = [];
    for (const quantity of [10, 9, 11, 12, 13, -4, null, 13]) edges.push(await look({ 1: { quantity } }));
    expect(edges).toEqual([
      [],
      ["low SKU-1"],
      [],
      [],
      ["recovered SKU-1"],
      ["low SKU-1"],
      [],
      ["recovered SKU-1"],
    ]);
  });

  it("a SKU with its own threshold recovers the same distance above it", async () => {
    const look = watchStock();
    const edges = [];
    for (const quantity of [3, 2, 5, 6]) edges.push(await look({ 1: { quantity, sku: "RARE", level: 20 } }));
    expect(edges).toEqual([[], ["low RARE"], [], ["recovered RARE"]]);
  });

  it("an item with a min_stock_level is low below that, unless min_stock_level is off", async () => {
    const look = watchStock();
    const edges = [];
    for (const quantity of [40, 39, 42, 43])
      edges.push(await look({ 1: { quantity, level: 40 }, 2: { quantity: 15 } }));
    expect(edges).toEqual([[], ["low SKU-1"], [], ["recovered SKU-1"]]);
    expect(await watchStock({ min_stock_level: false })({ 1: { quantity: 39, level: 40 } })).toEqual([]);
  });

  it("each warehouse is reported separately", async () => {
    const look = watchStock();
    const at = (one: number, two: number) =>
      look({
        1: { quantity: one, sku: "A", warehouse: "one" },
        2: { quantity: two, sku: "A", warehouse: "two" },
      });
    expect([await at(5, 50), await at(5, 5), await at(50, 5)]).toEqual([
      ["low A"],
      ["low A"],
      ["recovered A"],
    ]);
  });

  it("a renamed SKU is not a change, unless its own threshold makes it one", async () => {
    const look = watchStock();
    expect(await look({ 1: { quantity: 7, sku: "OLD" } })).toEqual(["low OLD"]);
    expect(await look({ 1: { quantity: 7, sku: "NEW" } })).toEqual([]);
    expect(await look({ 1: { quantity: 7, sku: "RARE" } })).toEqual(["recovered RARE"]);
  });

  it("a balance that is removed recovers, as removed, once", async () => {
    const look = watchStock();
    await look({ 1: { quantity: 1 }, 2: { quantity: 1 } });
    expect(await look({ 2: { quantity: 1 } })).toEqual(["recovered SKU-1"]);
    expect(await look({ 2: { quantity: 1 } })).toEqual([]);
  });

  it("low and recovered alternate for every item whatever its stock does", async () => {
    const move = fc.tuple(fc.nat(6), fc.option(fc.integer({ min: -5, max: 20 })));
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40 }), async (moves) => {
        const look = watchStock();
        const stock: Record<string, Place> = {};
        const state = new Map<string, string>();
        for (const [n, quantity] of moves) {
          stock[n] = { quantity };
          for (const edge of await look(stock)) {
            const [kind = "", sku = ""] = edge.split(" ");
            expect(kind).not.toBe(state.get(sku) ?? "recovered");
            state.set(sku, kind);
          }
          if (quantity === null) continue;
          if (quantity < 10) expect(state.get(`SKU-${n}`)).toBe("low");
          if (quantity > 12) expect(state.get(`SKU-${n}`) ?? "recovered").toBe("recovered");
        }
      }),
    );
  });
});

describe("pending orders", () => {
  const NOW = Date.UTC(2026, 10, 20, 12);
  const HALF_HOUR = 1_800_000;
  const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString();

  function watchOrders() {
    let orders: Row[] = [];
    const shop = readShop({ orders: () => [{ id: uuid(0), order_status: "delivered" }, ...orders] });
    const watch = follow(shop, orderWatch, { status: "pending", overdue_after: HALF_HOUR, columns: {} });
    return {
      ...watch,
      set: (states: Record<string, string>, createdAt = minutesAgo(5)) => {
        orders = Object.entries(states).map(([n, order_status]) => ({
          id: uuid(n),
          order_number: `#${n}`,
          order_status,
          total_amount: 450,
          currency: "EGP",
          customer_id: null,
          created_at: createdAt,
        }));
      },
    };
  }

  it("pending, overdue once per stay, advanced to any state", async () => {
    for (const status of ["confirmed", "shipped", "cancelled", "a status of tomorrow"]) {
      const { set, look } = watchOrders();
      set({ 1: "pending" });
      expect(told(await look({ now: NOW }))).toEqual(["pending #1"]);
      expect(told(await look({ now: NOW + HALF_HOUR }))).toEqual(["overdue #1"]);
      expect(await look({ now: NOW + 2 * HALF_HOUR })).toEqual([]);
      set({ 1: status });
      expect(await look({ now: NOW + 3 * HALF_HOUR })).toMatchObject([
        { type: "nexus.order.advanced", data: { orderStatus: status, removed: false } },
      ]);
      expect(await look({ now: NOW + 4 * HALF_HOUR })).toEqual([]);
    }
  });

  it("a vanished order has no status any more", async () => {
    const { set, look } = watchOrders();
    set({ 1: "pending" });
    await look({ now: NOW });
    set({});
    expect(await look({ now: NOW })).toMatchObject([
      { data: { orderStatus: null, previousStatus: "pending", removed: true } },
    ]);
  });

  it("an old order that returns to pending starts a new stay, and becomes overdue again", async () => {
    const { set, look, records } = watchOrders();
    set({ 1: "pending" }, minutesAgo(500));
    await look({ now: NOW, lastPassAt: NOW - 60_000 });
    expect([...records.values()]).toMatchObject([
      { pendingSince: new Date(NOW).toISOString(), overdue: false },
    ]);
    expect(told(await look({ now: NOW + HALF_HOUR }))).toEqual(["overdue #1"]);
    set({ 1: "confirmed" });
    await look({ now: NOW + HALF_HOUR });
    set({ 1: "pending" }, minutesAgo(500));
    const back = NOW + 2 * HALF_HOUR;
    expect(told(await look({ now: back, lastPassAt: back - 60_000 }))).toEqual(["pending #1"]);
    expect(told(await look({ now: back + HALF_HOUR }))).toEqual(["overdue #1"]);
  });
});

describe("shipments", () => {
  it("open, move while under way, and close with their final status", async () => {
    let status = "created";
    const shop = readShop({
      awbs: () => [ANY_ROW, ...(status ? [{ id: uuid(1), awb_number: "A1", status }] : [])],
    });
    const { look } = follow(shop, shipmentWatch, { statuses: ["created", "in_transit"], columns: {} });
    const edges = [];
    for (status of ["created", "created", "in_transit", "delivered", "created", ""])
      edges.push(told(await look()));
    expect(edges).toEqual([["opened A1"], [], ["moved A1"], ["closed A1"], ["opened A1"], ["closed A1"]]);
  });
});

describe("conversations", () => {
  it("become unread once, however many messages arrive, and read once", async () => {
    let unread_count: number | null = 0;
    const shop = readShop({ chats: () => [{ ...ANY_ROW }, { id: uuid(1), unread_count }] });
    const { look } = follow(shop, conversationWatch, { columns: {} });
    const edges = [];
    for (unread_count of [0, 1, 4, 0, 2, null]) edges.push(await look());
    expect(edges.map((events) => events.map(({ type }) => type.split(".").at(-1)))).toEqual([
      [],
      ["unread"],
      [],
      ["read"],
      ["unread"],
      ["read"],
    ]);
  });
});

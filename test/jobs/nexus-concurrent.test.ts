// Rows that are inserted, changed and deleted while the watches page through them. What can be promised: each row is
// judged by one look at it, taken while the pass went on. So what a pass makes of a row has to be true of a state that
// the row had during that pass, and a pass in which nothing moves has to make of every row what it is. The rows change
// between the requests: each request is one statement and sees one snapshot, so that there are no other interleavings.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seeded } from "../../bench/traffic.ts";
import type { NexusServer } from "../../sandbox/nexus.ts";
import { orderWatch } from "../../src/services/nexus/orders.ts";
import { stockWatch } from "../../src/services/nexus/stock.ts";
import type { SeenEvent } from "../support/daemon.ts";
import { connect, passesOf, startShop } from "./nexus-harness.ts";

/** For each of the two watches. */
const ROUNDS = 250;
/** Now and then nothing changes during a pass. */
const QUIET_EVERY = 10;
const MOST_ROWS = 14;
const TIMEOUT_MS = 180_000;

let nexus: NexusServer;
beforeAll(async () => {
  nexus = await startShop({ dbMaxRows: 4 });
  await nexus.ready;
});
afterAll(() => nexus.close());

/** What a row is at one time; undefined: it does not exist. */
type State<T> = T | undefined;

interface World<T> {
  /** Changes at random. */
  stir(): Promise<void>;
  /** Starts a pass: from now on all states of a row are remembered. */
  begin(): void;
  /** Every state that the row had since `begin`. */
  held(id: string): State<T>[];
  now: Map<string, T>;
}

/** @param value a new value of a row @param write the statement that sets it, for a new row or an existing one */
function createWorld<T>(
  random: () => number,
  value: () => T,
  write: (id: string, value: State<T>, isNew: boolean) => string,
): World<T> {
  const now = new Map<string, T>();
  let past = new Map<string, State<T>[]>();
  const set = (id: string, next: State<T>) => {
    past.set(id, [...(past.get(id) ?? [now.get(id)]), next]);
    const statement = write(id, next, !now.has(id));
    if (next === undefined) now.delete(id);
    else now.set(id, next);
    return statement;
  };
  return {
    now,
    async stir() {
      const statements = Array.from({ length: Math.floor(random() * 4) }, () => {
        const ids = [...now.keys()];
        const known = ids[Math.floor(random() * ids.length)];
        const what = random();
        if (known === undefined || (what < 0.25 && ids.length < MOST_ROWS)) return set(randomUUID(), value());
        return set(known, what < 0.45 ? undefined : value());
      });
      if (statements.length > 0) await nexus.sql(statements.join(";"));
    },
    begin() {
      past = new Map();
    },
    held: (id) => past.get(id) ?? [now.get(id)],
  };
}

const told = (events: SeenEvent[], id: (event: SeenEvent) => unknown) => {
  const byRow = new Map<string, SeenEvent>();
  for (const event of events) {
    const row = String(id(event));
    expect(byRow.has(row), "one event of a row in a pass").toBe(false);
    byRow.set(row, event);
  }
  return byRow;
};

it(
  `${ROUNDS} passes over orders that change meanwhile: no change missed, invented or repeated`,
  async () => {
    const random = seeded(6);
    const statuses = ["pending", "pending", "confirmed", "shipped", "cancelled"];
    const world = createWorld<string>(
      random,
      () => statuses[Math.floor(random() * statuses.length)] ?? "",
      (id, status, isNew) =>
        status === undefined
          ? `delete from orders where id = '${id}'`
          : isNew
            ? `insert into orders (id, organization_id, order_status) values ('${id}', '${nexus.organizationId}', '${status}')`
            : `update orders set order_status = '${status}' where id = '${id}'`,
    );
    await nexus.sql("truncate orders cascade");
    // One that is never pending, so that an empty set is believed.
    await nexus.sql("insert into orders (organization_id, order_status) values ($1, 'delivered')", [
      nexus.organizationId,
    ]);
    let isQuiet = false;
    const settings = { status: "pending", overdue_after: 1e9, columns: {} };
    const watch = await passesOf(connect(nexus.url), orderWatch, settings, async () => {
      if (!isQuiet) await world.stir();
    });

    const believed = new Set<string>();
    let edges = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      isQuiet = round % QUIET_EVERY === 0;
      world.begin();
      const events = told(await watch.pass(), ({ data }) => data.orderId);
      edges += events.size;

      for (const [id, { type, data }] of events) {
        const held = world.held(id);
        if (type === "nexusd.nexus.order.pending") {
          expect(believed.has(id)).toBe(false);
          expect(held).toContain("pending");
          believed.add(id);
        } else {
          expect(believed.has(id)).toBe(true);
          expect(held).toContain(data.removed ? undefined : data.orderStatus);
          if (!data.removed) expect(data.orderStatus).not.toBe("pending");
          believed.delete(id);
        }
      }
      for (const id of new Set([...believed, ...world.now.keys()])) {
        if (events.has(id)) continue;
        const held = world.held(id);
        expect(held.some((status) => (status === "pending") === believed.has(id))).toBe(true);
      }
      if (!isQuiet) continue;
      const pending = [...world.now].filter(([, status]) => status === "pending").map(([id]) => id);
      expect([...believed].sort()).toEqual(pending.sort());
      expect((await watch.records()).map((record) => (record as { orderId: string }).orderId)).toEqual(
        pending,
      );
    }
    expect(edges).toBeGreaterThan(ROUNDS);
  },
  TIMEOUT_MS,
);

it(
  `${ROUNDS} passes over stock that changes meanwhile: no change missed, invented or repeated`,
  async () => {
    const random = seeded(7);
    const [warehouse] = await nexus.sql("select id from warehouses where organization_id = $1 limit 1", [
      nexus.organizationId,
    ]);
    const world = createWorld<number | null>(
      random,
      () => Math.floor(random() * 22) - 3,
      (id, quantity, isNew) =>
        quantity === undefined
          ? `delete from stock_balances where id = '${id}'; delete from items where id = '${id}'`
          : isNew
            ? `insert into items (id, organization_id, sku) values ('${id}', '${nexus.organizationId}', '${id.slice(0, 8)}');
             insert into stock_balances (id, organization_id, item_id, warehouse_id, quantity)
             values ('${id}', '${nexus.organizationId}', '${id}', '${warehouse?.id}', ${quantity})`
            : `update stock_balances set quantity = ${quantity} where id = '${id}'`,
    );
    await nexus.sql("update stock_balances set quantity = reserved_quantity + 100");
    let isQuiet = false;
    const settings = { threshold: 10, recover_above: 12, per_sku: {}, min_stock_level: true, columns: {} };
    const watch = await passesOf(connect(nexus.url), stockWatch, settings, async () => {
      if (!isQuiet) await world.stir();
    });

    const low = new Set<string>();
    let edges = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      isQuiet = round % QUIET_EVERY === 0;
      world.begin();
      const events = told(await watch.pass(), ({ data }) => data.itemId);
      edges += events.size;

      for (const [id, { type, data }] of events) {
        const held = world.held(id);
        const quantity = Number(data.availableQuantity);
        expect(held).toContain(data.removed ? undefined : quantity);
        const isLow = type === "nexusd.nexus.stock.low";
        expect(low.has(id)).toBe(!isLow);
        if (isLow) expect(quantity).toBeLessThan(10);
        else if (!data.removed) expect(quantity).toBeGreaterThan(12);
        low[isLow ? "add" : "delete"](id);
      }
      for (const id of new Set([...low, ...world.now.keys()])) {
        if (events.has(id)) continue;
        const isConsistent = (quantity: number | null | undefined) =>
          low.has(id) ? typeof quantity === "number" && quantity <= 12 : (quantity ?? 10) >= 10;
        expect(world.held(id).some(isConsistent)).toBe(true);
      }
      if (!isQuiet) continue;
      const stored = (await watch.records()) as { itemId: string; availableQuantity: number }[];
      expect(stored.map(({ itemId }) => itemId)).toEqual([...low].sort());
      for (const { itemId, availableQuantity } of stored)
        expect(availableQuantity).toBe(world.now.get(itemId));
    }
    expect(edges).toBeGreaterThan(ROUNDS / 2);
  },
  TIMEOUT_MS,
);

/** Scripted activity in the Nexus stand-in: stock drops and is replenished, orders arrive and are confirmed. */

import type { NexusServer } from "./nexus.ts";

export interface NexusLifeOptions {
  nexus: NexusServer;
  /** Time between two orders, 5,000 by default; everything else is proportional to it. */
  intervalMs?: number;
}

const lowEnough = 6;
const ticksUntilRestock = 8;

const sell = `
  update stock_balances set quantity = quantity - greatest(2, available_quantity / 4)
  where id = (
    select id from stock_balances
    where organization_id = $1 and (id = $2 or ($2::uuid is null and available_quantity >= 12))
    order by available_quantity, id limit 1
  )
  returning id, available_quantity
`;

const restock = "update stock_balances set quantity = reserved_quantity + 45 where id = $1";

const placeOrder = `
  with item as (
    select * from items where organization_id = $1 order by sku offset $2 % 12 limit 1
  ), customer as (
    select * from customers where organization_id = $1 order by id offset $2 % 5 limit 1
  ), placed as (
    insert into orders (organization_id, customer_id, order_number, total_amount, currency)
    select $1, customer.id, 'NX-' || (1007 + $2), item.selling_price * (1 + $2 % 3), 'EGP' from item, customer
    returning id
  ), line as (
    insert into order_items (order_id, item_id, sku, name, qty, unit_price)
    select placed.id, item.id, item.sku, item.name, 1 + $2 % 3, item.selling_price from placed, item
  )
  select id from placed
`;

const confirm = "update orders set order_status = 'confirmed' where id = $1 and order_status = 'pending'";

/** Needs the seed. The first order and the first stock below 10 come within 3 s of the database being ready. */
export function startNexusLife(options: NexusLifeOptions): { stop(): void } {
  const { nexus } = options;
  const intervalMs = options.intervalMs ?? 5000;
  let sinking: unknown = null;
  const restockAt = new Map<unknown, number>();
  const placed: unknown[] = [];

  const stopTrade = repeat(intervalMs / 5, async (n) => {
    for (const [id, due] of restockAt) {
      if (n < due) continue;
      restockAt.delete(id);
      await nexus.sql(restock, [id]);
    }
    const [row] = await nexus.sql(sell, [nexus.organizationId, sinking]);
    const isLow = Number(row?.available_quantity) <= lowEnough;
    if (isLow) restockAt.set(row?.id, n + ticksUntilRestock);
    sinking = isLow ? null : (row?.id ?? null);
  });

  const stopOrders = repeat(intervalMs, async (n) => {
    const [order] = await nexus.sql(placeOrder, [nexus.organizationId, n]);
    placed.push(order?.id);
    if (placed.length > 3) await nexus.sql(confirm, [placed.shift()]);
  });

  return {
    stop() {
      stopTrade();
      stopOrders();
    },
  };
}

/** Runs `action` with 0, 1, 2, …, first after two fifths of `everyMs`; one that runs late delays the next. */
function repeat(everyMs: number, action: (n: number) => Promise<void>): () => void {
  let isStopped = false;
  let timer = setTimeout(tick, everyMs * 0.4, 0);
  async function tick(n: number) {
    // A test may change the tables, or the database may be stopping: then this round is skipped.
    await action(n).catch(() => undefined);
    if (!isStopped) timer = setTimeout(tick, everyMs, n + 1);
  }
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

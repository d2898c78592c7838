// Low stock as edges: low when it falls below the threshold, recovered only when it rises above a higher mark.

import { z } from "zod";
import type { NewEvent } from "../../events/types.ts";
import type { Observation } from "../../store/store.ts";
import type { Row } from "./client.ts";
import { asNumber, asText, type Reading } from "./watch.ts";

export const LOW_STOCK_KIND = "nexus.stock.low";

export const lowStockRecord = z.object({
  itemId: z.string(),
  sku: z.string().nullable(),
  name: z.string().nullable(),
  warehouseId: z.string().nullable(),
  availableQuantity: z.number().nullable(),
  threshold: z.number(),
  lowSince: z.string(),
});
export type LowStock = z.infer<typeof lowStockRecord>;

export interface StockThresholds {
  threshold: number;
  recover_above: number;
  per_sku: Record<string, number>;
}

/** A SKU with a threshold of its own recovers as far above it as the others do above theirs. */
function marksOf(sku: string | null, settings: StockThresholds) {
  const own = sku !== null && Object.hasOwn(settings.per_sku, sku) ? settings.per_sku[sku] : undefined;
  const threshold = own ?? settings.threshold;
  return { threshold, recoverAbove: threshold + settings.recover_above - settings.threshold };
}

/** The largest quantity that can still matter: everything up to it is read. */
export const readUpTo = (settings: StockThresholds): number =>
  Math.max(settings.threshold, ...Object.values(settings.per_sku)) +
  settings.recover_above -
  settings.threshold;

function readRow(row: Row, settings: StockThresholds) {
  const item = (row.items ?? {}) as Record<string, unknown>; // an embedded object or null; each field is read with care
  const sku = asText(item.sku);
  return {
    itemId: asText(row.item_id) ?? row.id,
    sku,
    name: asText(item.name),
    warehouseId: asText(row.warehouse_id),
    availableQuantity: asNumber(row.available_quantity),
    ...marksOf(sku, settings),
  };
}

/** What changed between the stored set and a complete reading. */
export function diffStock(
  stored: ReadonlyMap<string, LowStock>,
  reading: Reading,
  settings: StockThresholds,
  now: string,
): Required<Pick<Observation, "events" | "put" | "remove">> {
  const events: NewEvent[] = [];
  const put: { kind: string; key: string; value: LowStock }[] = [];
  const remove: { kind: string; key: string }[] = [];
  const source = "/nexus/stock";

  for (const [id, row] of [...reading.current, ...reading.departed]) {
    const { recoverAbove, ...seen } = readRow(row, settings);
    const before = stored.get(id);
    const quantity = seen.availableQuantity;
    // A quantity of NULL says nothing: what was low stays low.
    if (quantity === null) continue;
    if (!before) {
      if (quantity >= seen.threshold) continue;
      put.push({ kind: LOW_STOCK_KIND, key: id, value: { ...seen, lowSince: now } });
      events.push({ type: "nexus.stock.low", source, subject: seen.sku ?? seen.itemId, data: seen });
    } else if (quantity > recoverAbove) {
      remove.push({ kind: LOW_STOCK_KIND, key: id });
      const data = { ...seen, removed: false };
      events.push({ type: "nexus.stock.recovered", source, subject: seen.sku ?? seen.itemId, data });
    } else {
      const value: LowStock = { ...seen, lowSince: before.lowSince };
      if (JSON.stringify(value) !== JSON.stringify(before))
        put.push({ kind: LOW_STOCK_KIND, key: id, value });
    }
  }
  for (const [id, { lowSince: _, ...before }] of stored) {
    if (reading.current.has(id) || reading.departed.has(id)) continue;
    remove.push({ kind: LOW_STOCK_KIND, key: id });
    const data = { ...before, removed: true };
    events.push({ type: "nexus.stock.recovered", source, subject: before.sku ?? before.itemId, data });
  }
  return { events, put, remove };
}

// The watch of low stock: low when it falls below the threshold, recovered only when it rises above a higher one.

import { z } from "zod";
import { stockItem } from "../../contract/events/nexus.ts";
import { fieldsOf } from "../input.ts";
import { asNumber, asText, type Row, type RowReader } from "./client.ts";
import { type ColumnNames, nameOf } from "./columns.ts";
import { defineWatch } from "./watch.ts";

const lowStock = stockItem.extend({ lowSince: z.string() });

export interface StockSettings {
  threshold: number;
  recover_above: number;
  per_sku: Record<string, number>;
  /** Whether `items.min_stock_level`, if above 0, is the threshold of its item. */
  min_stock_level: boolean;
  columns: ColumnNames;
  /** The highest min_stock_level there is. */
  highest?: number;
}

const LEVEL = "items.min_stock_level";

/** The threshold of its SKU, else of its item, else the general one. */
function thresholdOf(sku: string | null, level: number | null, settings: StockSettings): number {
  const own = sku !== null && Object.hasOwn(settings.per_sku, sku) ? settings.per_sku[sku] : undefined;
  const ofItem = settings.min_stock_level && level !== null && level > 0 ? level : undefined;
  return own ?? ofItem ?? settings.threshold;
}

/** Each recovers as far above its threshold as the others. */
const recoverAbove = (threshold: number, settings: StockSettings): number =>
  threshold + settings.recover_above - settings.threshold;

/** The largest quantity that can matter: everything up to it is read. */
const readUpTo = ({ threshold, per_sku, recover_above, highest = 0 }: StockSettings): number =>
  Math.max(threshold, highest, ...Object.values(per_sku)) + recover_above - threshold;

function readRow(row: Row, settings: StockSettings) {
  const item = fieldsOf(row.items);
  const sku = asText(item.sku);
  return {
    itemId: asText(row.item_id) ?? row.id,
    sku,
    name: asText(item.name),
    warehouseId: asText(row.warehouse_id),
    availableQuantity: asNumber(row.available_quantity),
    threshold: thresholdOf(sku, asNumber(item.min_stock_level), settings),
  };
}

/** One row, so that everything below the thresholds of single items is read, and nothing of the full shelves. */
async function readHighest(nexus: RowReader, settings: StockSettings, signal: AbortSignal) {
  if (!settings.min_stock_level || settings.columns[LEVEL] === "") return settings;
  const column = nameOf(LEVEL, settings.columns);
  const [item] = await nexus.read(
    {
      table: "items",
      select: `id,min_stock_level:${column}`,
      filters: [{ column, operator: "gt", value: settings.threshold }],
      order: [column],
      newestFirst: true,
      limit: 1,
    },
    signal,
  );
  return { ...settings, highest: asNumber(item?.min_stock_level) ?? 0 };
}

export const stockWatch = defineWatch<StockSettings, z.infer<typeof lowStock>>({
  job: "nexus-low-stock",
  description: "Compares the stock of Nexus with its thresholds.",
  table: "stock_balances",
  filter: (settings) => [{ column: "available_quantity", operator: "lte", value: readUpTo(settings) }],
  kind: "nexus.stock.low",
  state: lowStock,
  prepare: readHighest,
  edges({ settings, row, before, now }) {
    const source = "/nexus/stock";
    if (!row) {
      if (!before) return { events: [], state: undefined };
      const { lowSince: _, ...item } = before;
      const data = { ...item, availableQuantity: null, removed: true };
      const subject = item.sku ?? item.itemId;
      return { events: [{ type: "nexus.stock.recovered", source, subject, data }], state: undefined };
    }
    const seen = readRow(row, settings);
    const { availableQuantity: quantity, threshold } = seen;
    const subject = seen.sku ?? seen.itemId;
    // A quantity of NULL says nothing: a low item stays low.
    if (quantity === null) return { events: [], state: before };
    if (before && quantity > recoverAbove(threshold, settings)) {
      const data = { ...seen, removed: false };
      return { events: [{ type: "nexus.stock.recovered", source, subject, data }], state: undefined };
    }
    if (before) return { events: [], state: { ...seen, lowSince: before.lowSince } };
    if (quantity >= threshold) return { events: [], state: undefined };
    const lowSince = new Date(now).toISOString();
    return {
      events: [{ type: "nexus.stock.low", source, subject, data: seen }],
      state: { ...seen, lowSince },
    };
  },
});

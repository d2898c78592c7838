// The columns that the watches read, and how the configuration maps them to those of another database.

/**
 * What a watch does if its column is missing. `needed`: it cannot work; `wanted`: it reports it, until the
 * configuration leaves the column out; `optional`: it continues without, since the vendor says that some databases lack
 * it.
 */
type Need = "needed" | "wanted" | "optional";
export type Columns = Readonly<Record<string, Need>>;

/** Maps our name of a column to the database's; "" leaves it out. */
export type ColumnNames = Readonly<Partial<Record<string, string>>>;

/** By job. A name with a dot is a column of an embedded table. */
export const WATCHED_COLUMNS = {
  "nexus-low-stock": {
    item_id: "wanted",
    warehouse_id: "wanted",
    available_quantity: "needed",
    "items.sku": "wanted",
    "items.name": "optional",
    "items.min_stock_level": "wanted",
  },
  "nexus-pending-orders": {
    order_number: "wanted",
    order_status: "needed",
    total_amount: "wanted",
    currency: "wanted",
    customer_id: "wanted",
    created_at: "wanted",
  },
  "nexus-conversations": {
    platform: "wanted",
    contact_name: "wanted",
    contact_phone: "wanted",
    last_message_time: "wanted",
    unread_count: "needed",
    assigned_to: "wanted",
  },
  "nexus-shipments": {
    awb_number: "wanted",
    order_id: "wanted",
    courier_name: "wanted",
    courier_tracking_number: "wanted",
    status: "needed",
  },
} as const satisfies Record<string, Columns>;

export type WatchJob = keyof typeof WATCHED_COLUMNS;

/** The name of a column in this database. */
export const nameOf = (column: string, names: ColumnNames): string =>
  names[column] || (column.split(".").at(-1) ?? column);

/** The `select` for PostgREST that gives its rows our names: `id,available_quantity:on_hand,items(sku,name)`. */
export function selectOf(columns: Columns, names: ColumnNames): string {
  const tables = new Map<string, string[]>([["", ["id"]]]);
  for (const column of Object.keys(columns)) {
    if (names[column] === "") continue;
    const [own = "", table = ""] = column.split(".").reverse();
    const name = nameOf(column, names);
    const into = tables.get(table) ?? [];
    tables.set(table, [...into, name === own ? own : `${own}:${name}`]);
  }
  return [...tables].map(([table, list]) => (table ? `${table}(${list})` : `${list}`)).join(",");
}

// A shop for bench/watch: 100,000 stock balances and 10,000 pending orders behind PostgREST's answers, in a separate
// process. `node bench/watch-shop.ts ROWS_IN_A_PAGE` prints its origin and serves until it is stopped.

import { createServer } from "node:http";

const STOCK = 100_000;
const ORDERS = 10_000;
const maxRows = Number(process.argv[2] ?? 1000);

const uuid = (n: number, kind: string) =>
  `${n.toString(16).padStart(8, "0")}-0000-4000-8000-${kind.padStart(12, "0")}`;

/** Rows as JSON text with their ids, ordered by id, and how to make one. */
const tables: Record<string, ReturnType<typeof table>> = {
  stock_balances: table(STOCK, (n, change) => ({
    id: uuid(n, "1"),
    item_id: uuid(n >> 1, "2"),
    warehouse_id: uuid(n & 1, "3"),
    available_quantity: (n % 16) - 3 - change,
    items: { sku: `SKU-${n >> 1}-BLK`, name: `Thing number ${n >> 1}, black`, min_stock_level: 0 },
  })),
  orders: table(ORDERS, (n, change) => ({
    id: uuid(n, "4"),
    order_number: `NX-${n}`,
    order_status: "pending",
    total_amount: (n % 900) + change,
    currency: "EGP",
    customer_id: uuid(n, "5"),
    created_at: `2026-11-21T00:27:04.${String(n).padStart(6, "0")}+00:00`,
  })),
  items: table(0, () => ({ id: "" })),
};

function table(count: number, row: (n: number, change: number) => { id: string }) {
  const all = Array.from({ length: count }, (_, n) => row(n, 0));
  return { row, ids: all.map(({ id }) => id), rows: all.map((one) => JSON.stringify(one)) };
}

let changes = 0;
/** Changes one row in each page; none enters or leaves a set. */
function change(): void {
  changes++;
  for (const { row, rows } of Object.values(tables))
    for (let n = maxRows / 2; n < rows.length; n += maxRows) rows[n] = JSON.stringify(row(n, changes % 3));
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://shop");
  response.setHeader("content-type", "application/json");
  response.end(answer(url));
});

/** Complete passes over the stock. */
let passes = 0;

function answer(url: URL): string {
  if (url.pathname === "/passes") return String(passes);
  if (url.pathname === "/change") change();
  if (url.pathname.endsWith("/agent-auth"))
    return '{"access_token":"t","organization_id":"o","expires_in":3600}';
  const found = tables[url.pathname.split("/").at(-1) ?? ""];
  if (!found) return "{}";
  const after = /^gt\.(.*)$/.exec(url.searchParams.get("id") ?? "")?.[1];
  if (after === tables.stock_balances?.ids.at(-1)) passes++;
  const start = after === undefined ? 0 : found.ids.indexOf(after) + 1;
  const limit = Math.min(maxRows, Number(url.searchParams.get("limit") ?? maxRows));
  return `[${found.rows.slice(start, start + limit).join(",")}]`;
}

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(`http://127.0.0.1:${address.port}`);
});

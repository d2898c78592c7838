// A query of PostgREST as data: columns and conditions become the query string here, and nowhere by hand.

/** A condition on one column. `null` is only for `is` and `not.is`; a list only for `in`. */
export interface Filter {
  column: string;
  operator: "eq" | "neq" | "lt" | "lte" | "gt" | "gte" | "in" | "is" | "not.is";
  value: string | number | boolean | null | readonly (string | number)[];
}

export interface RowQuery {
  table: string;
  /** As PostgREST takes it: "id,sku:item_no,items(name)"; made of names that are ours. */
  select: string;
  filters: readonly Filter[];
  /** Only the rows after this one, in the order of `order`. */
  after?: Position;
  /** Columns, ascending; the last one makes the order whole. */
  order?: readonly string[];
  /** The other way round, rows without a value last. */
  newestFirst?: boolean;
  limit?: number;
}

/** The place of a row in the order of its columns: their values as the server wrote them, never parsed. */
export type Position = readonly { column: string; value: string }[];

/** The path and query below the origin. */
export function restPath({ table, select, filters, after, order, newestFirst, limit }: RowQuery): string {
  const query = new URLSearchParams({ select });
  for (const { column, operator, value } of filters) query.append(column, `${operator}.${written(value)}`);
  if (after) appendAfter(query, after);
  if (order)
    query.append(
      "order",
      order.map((column) => `${column}.${newestFirst ? "desc.nullslast" : "asc"}`).join(","),
    );
  if (limit !== undefined) query.append("limit", String(limit));
  return `/rest/v1/${encodeURIComponent(table)}?${query}`;
}

const written = (value: Filter["value"]): string =>
  Array.isArray(value) ? `(${value.map((item) => quoted(String(item))).join(",")})` : String(value);

/** For the inside of lists and trees, where `,`, `.`, `:` and parentheses have a meaning. */
export const quoted = (value: string): string => `"${value.replace(/[\\"]/g, "\\$&")}"`;

function appendAfter(query: URLSearchParams, [first, second]: Position): void {
  if (first && !second) query.append(first.column, `gt.${first.value}`);
  if (!first || !second) return;
  const [a, b] = [quoted(first.value), quoted(second.value)];
  query.append("or", `(${first.column}.gt.${a},and(${first.column}.eq.${a},${second.column}.gt.${b}))`);
}

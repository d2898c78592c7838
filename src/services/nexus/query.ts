// A PostgREST query as data: only this file turns columns and conditions into a query string.

/** A condition on one column. `null` is only for `is` and `not.is`; a list only for `in`. */
export interface Filter {
  column: string;
  operator: "eq" | "neq" | "lt" | "lte" | "gt" | "gte" | "in" | "is" | "not.is";
  value: string | number | boolean | null | readonly (string | number)[];
}

export interface RowQuery {
  table: string;
  /** As PostgREST takes it: "id,sku:item_no,items(name)"; made of nexusd's own names. */
  select: string;
  filters: readonly Filter[];
  /** Also requires all the conditions of at least one of these. */
  anyOf?: readonly (readonly Filter[])[];
  /** Only the rows after this one, in the order of `order`. */
  after?: Position;
  /** Columns, ascending; the last one makes the order total. */
  order?: readonly string[];
  /** Descending, with rows without a value last. */
  newestFirst?: boolean;
  limit?: number;
}

/**
 * The position of a row in the order of its columns: their values as the server wrote them, never parsed. Null is
 * allowed for the first of two: rows without a value come last.
 */
export type Position = readonly { column: string; value: string | null }[];

/** The path and query below the origin. */
export function restPath(asked: RowQuery): string {
  const { table, select, filters, anyOf, after, order, newestFirst, limit } = asked;
  const query = new URLSearchParams({ select });
  for (const { column, operator, value } of filters) query.append(column, `${operator}.${written(value)}`);
  if (anyOf) query.append("or", `(${anyOf.map(allOf).join(",")})`);
  if (after) appendAfter(query, after, newestFirst ? "lt" : "gt");
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

const allOf = (filters: readonly Filter[]): string =>
  `and(${filters.map(({ column, operator, value }) => `${column}.${operator}.${nested(value)}`).join(",")})`;

const nested = (value: Filter["value"]): string =>
  typeof value === "string" ? quoted(value) : written(value);

function appendAfter(query: URLSearchParams, [first, second]: Position, beyond: "gt" | "lt"): void {
  if (first && !second) query.append(first.column, `${beyond}.${first.value}`);
  if (!first || !second) return;
  if (first.value === null) {
    query.append(first.column, "is.null");
    query.append(second.column, `${beyond}.${second.value}`);
    return;
  }
  const [a, b] = [quoted(first.value), quoted(String(second.value))];
  query.append(
    "or",
    `(${first.column}.${beyond}.${a},and(${first.column}.eq.${a},${second.column}.${beyond}.${b}),${first.column}.is.null)`,
  );
}

/** The total of `Content-Range: 0-24/1523`; undefined if the server does not say it. */
export function totalOf(headers: Record<string, string>): number | undefined {
  const total = /\/(\d{1,15})$/.exec(headers["content-range"] ?? "")?.[1];
  return total === undefined ? undefined : Number(total);
}

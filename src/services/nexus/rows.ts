// Requests for the tables of Nexus as PostgREST takes them, and the rows in its answers.

import { z } from "zod";
import { isObject } from "../../core/is-object.ts";
import { unexpectedShape } from "../../http/answer.ts";
import { fieldsOf, present } from "../input.ts";
import { type OperationAnswer, OperationError, type OperationRequest } from "../operation.ts";
import { AGENT_TOKEN, type NexusFacts } from "./facts.ts";
import { createKeyset, type Keyset } from "./keyset.ts";
import { totalOf } from "./query.ts";

/** Newest first; the id makes the order total. */
export const NEWEST_FIRST = createKeyset([
  { column: "created_at", descending: true },
  { column: "id", descending: true },
]);
export const BY_ID = createKeyset([{ column: "id" }]);

/** Above this, PostgREST may cut the answer silently. */
export const MOST_ROWS = 100;

/** In bytes: PostgREST accepts 50 KiB of request line and headers together, which include the credential. */
const LONGEST_QUERY = 45_000;

/**
 * A PostgREST query. The values are whole conditions ("eq.pending"): they need encoding, but no quoting. Several for
 * one column must all hold.
 */
export type Query = Record<string, string | number | (string | undefined)[] | undefined>;

const table = (
  facts: NexusFacts,
  method: OperationRequest["method"],
  name: string,
  query: Query,
  more: Pick<OperationRequest, "headers" | "json"> = {},
): OperationRequest => {
  const parameters = new URLSearchParams(
    Object.entries(present(query)).flatMap(([key, value]) =>
      [value].flat().flatMap((part) => (part === undefined ? [] : [[key, String(part)]])),
    ),
  );
  const path = `/rest/v1/${name}${parameters.size > 0 ? `?${parameters}` : ""}`;
  if (path.length > LONGEST_QUERY)
    throw new OperationError(
      "refused",
      `The query has ${path.length} bytes, and Nexus accepts at most ${LONGEST_QUERY}: use fewer or shorter values, such as part of a list at a time. A non-ASCII letter takes 6 to 12 bytes.`,
    );
  return {
    method,
    origin: facts.origin,
    path,
    label: `${method} /rest/v1/${name}`,
    ...more,
    credential: AGENT_TOKEN,
  };
};

export const readRows = (
  facts: NexusFacts,
  name: string,
  query: Query,
  more: Pick<OperationRequest, "headers"> = {},
) => table(facts, "GET", name, query, more);

/** The condition, if there is a value for it. */
export const where = (operator: string, value: string | number | boolean | undefined): string | undefined =>
  value === undefined ? undefined : `${operator}.${value}`;

/** The input of a list, besides its filters. */
export const paging = (keyset: Keyset, what: string, defaults = { limit: 25, count: false }) => ({
  limit: z.int().min(1).max(MOST_ROWS).default(defaults.limit).describe(`At most this many ${what}`),
  after: keyset.cursor().optional().describe("`next` from the previous answer, to get what comes after it"),
  count: z.boolean().default(defaults.count).describe(`Also count the ${what}, from this page to the end`),
});

/** The same for a list that usually fits into one page: then its count says that there is no more. */
export const pagingOfFew = (keyset: Keyset, what: string) =>
  paging(keyset, what, { limit: MOST_ROWS, count: true });

interface Paging {
  limit: number;
  after?: string | undefined;
  count: boolean;
}

export const readPage = (facts: NexusFacts, name: string, query: Query, keyset: Keyset, page: Paging) =>
  readRows(
    facts,
    name,
    {
      ...query,
      or: page.after === undefined ? undefined : keyset.after(page.after),
      order: keyset.order,
      limit: page.limit,
    },
    page.count ? { headers: { prefer: "count=exact" } } : {},
  );

/**
 * The rows of a page, and where the next one begins. A page that is shorter than its limit need not be the last one,
 * since a server may have its own lower limit: only an empty page is, or one that the count says is.
 */
export function pageOf(answer: OperationAnswer, name: string, keyset: Keyset, page: Paging) {
  const rows = rowsOf(answer, name);
  const last = rows.at(-1);
  const count = page.count ? totalOf(answer.headers) : undefined;
  const isEnd = last === undefined || (count !== undefined && rows.length >= count);
  return {
    rows,
    rest: { next: isEnd ? null : keyset.cursorOf(last), ...(page.count ? { count: count ?? null } : {}) },
  };
}

/** An operation's output of a page: its rows as `field`, and where the next page begins. */
export const pageAs =
  (field: string, name: string, keyset: Keyset) =>
  (answer: OperationAnswer, input: Paging): Record<string, unknown> => {
    const { rows, rest } = pageOf(answer, name, keyset, input);
    return { [field]: rows, ...rest };
  };

/**
 * A write of one row. PostgREST rolls it back and answers 406 if it would match none, or several: otherwise changing
 * nothing would look like success.
 */
export const writeRow = (
  facts: NexusFacts,
  method: "POST" | "PATCH",
  name: string,
  query: Query,
  json: Record<string, unknown>,
) =>
  table(facts, method, name, query, {
    headers: { accept: "application/vnd.pgrst.object+json", prefer: "return=representation" },
    json,
  });

/** @throws HttpError if it is not a list of rows */
export const rowsOf = ({ status, body }: OperationAnswer, name: string): Record<string, unknown>[] => {
  if (Array.isArray(body) && body.every(isObject)) return body;
  throw unexpected(`GET /rest/v1/${name}`, status, "without a list of rows");
};

/** The one row with the requested id. @throws OperationError `no_row_matched` */
export const rowOf = (answer: OperationAnswer, name: string): Record<string, unknown> => {
  const [row] = rowsOf(answer, name);
  if (row) return row;
  throw noRow(name);
};

/**
 * The row that was written; null if the server does not show it.
 * @throws OperationError `no_row_matched` if it says that there was none; HttpError if it is something else
 */
export const writtenRow = ({ status, body }: OperationAnswer, name: string): unknown => {
  if (body === undefined) return null;
  const rows = [body].flat();
  const [row] = rows;
  if (rows.length === 0) throw noRow(name);
  // The answer of a gateway, or of something other than PostgREST: it does not say what happened to the row.
  if (!("id" in fieldsOf(row))) throw unexpected(`a write of /rest/v1/${name}`, status, "no row");
  return row;
};

const unexpected = (label: string, status: number, what: string) =>
  unexpectedShape({ service: "nexus", label, status }, what);

const noRow = (name: string) =>
  new OperationError("no_row_matched", `No such row in ${name}, or this API key may not see it.`);

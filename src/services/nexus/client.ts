// Nexus's tables over PostgREST: rows as they come, whatever their columns are.

import { hash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { unexpectedShape } from "../../http/answer.ts";
import type { HttpResponse, Retry } from "../../http/client.ts";
import { createServerTime, type ServerTime } from "../../http/server-time.ts";
import type { NexusHttp } from "./http.ts";
import { type Filter, type Position, type RowQuery, restPath, totalOf } from "./query.ts";
import { createQuota, type Quota } from "./quota.ts";

/** Ids in one `in.(…)`: about 4 kB of query, well below what gateways accept. */
const IDS_AT_ONCE = 100;

/** Columns of unknown types, and an id. */
export type Row = Record<string, unknown> & { id: string };

export interface RowReader {
  /**
   * The rows that the server returns for this query, which may be fewer than there are (`db-max-rows`).
   * @throws HttpError
   */
  read(query: RowQuery, signal: AbortSignal): Promise<Row[]>;
  /** The same, unless the answer has the digest `known`: then the rows are the same as before, and are not parsed. */
  readUnless(known: string | undefined, query: RowQuery, signal: AbortSignal): Promise<RowPage>;
}

export interface CountedRows {
  rows: Row[];
  /** The rows of the answer, and what comes after them in the same order; undefined if the server does not say. */
  total: number | undefined;
}

export interface RowPage {
  /** Of the bytes of the answer. */
  digest: string;
  /** Undefined: the digest is the known one. */
  rows: Row[] | undefined;
}

export interface NexusClient extends RowReader {
  /** For operations: with the token, one origin, the budget. */
  readonly http: NexusHttp;
  /** Like `read`, with the number of rows from there on. */
  readCounted(query: RowQuery, signal: AbortSignal): Promise<CountedRows>;
  /** The time by Nexus's clock. */
  readonly time: Pick<ServerTime, "now" | "isKnown">;
  /** The calls that the plan allows; ask it first before reading in a loop. */
  readonly quota: Quota;
}

export function createNexusClient(options: { http: NexusHttp; retry: Retry; clock: Clock }): NexusClient {
  const { http, retry, clock } = options;
  const time = createServerTime(clock);
  /** An answer without rows is requested again, like a failed one. */
  const ask = <T>(
    query: RowQuery,
    signal: AbortSignal,
    rowsOf: (answer: HttpResponse, label: string) => T,
    headers: Record<string, string> = {},
  ): Promise<T> => {
    const label = `GET /rest/v1/${query.table}`;
    const path = restPath(query);
    return retry(
      async () => {
        const answer = await http.request({ method: "GET", path, label, headers, signal });
        time.observe(answer.headers);
        return rowsOf(answer, label);
      },
      { signal },
    );
  };
  return {
    http,
    time,
    quota: createQuota({ http, clock }),
    read: (query, signal) => ask(query, signal, readRows),
    readCounted: (query, signal) =>
      ask(
        query,
        signal,
        (answer, label) => ({ rows: readRows(answer, label), total: totalOf(answer.headers) }),
        { prefer: "count=exact" },
      ),
    readUnless: (known, query, signal) =>
      ask(query, signal, (answer, label) => {
        const digest = hash("sha256", answer.body);
        return { digest, rows: digest === known ? undefined : readRows(answer, label) };
      }),
  };
}

/** The rows with these ids; those that do not exist, or are not visible, are left out. */
export async function readByIds(
  nexus: RowReader,
  query: Pick<RowQuery, "table" | "select">,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
    const some = ids.slice(start, start + IDS_AT_ONCE);
    const filters: Filter[] = [{ column: "id", operator: "in", value: some }];
    // A server that returns fewer rows than requested is asked for the rest.
    for (let found = 0, after: Position = []; found < some.length; ) {
      const page = await nexus.read({ ...query, filters, order: ["id"], after }, signal);
      const last = page.at(-1);
      if (!last) break;
      rows.push(...page);
      found += page.length;
      after = [{ column: "id", value: last.id }];
    }
  }
  return rows;
}

/** Whether the table shows any row at all: an empty answer can also mean that the token is not accepted. */
export const hasAnyRow = async (nexus: RowReader, table: string, signal: AbortSignal): Promise<boolean> =>
  (await nexus.read({ table, select: "id", filters: [], limit: 1 }, signal)).length > 0;

function readRows(answer: { status: number; json(): unknown }, label: string): Row[] {
  const body = answer.json();
  // Checked by hand, since a schema would copy each of up to a hundred thousand rows.
  if (Array.isArray(body) && body.every(hasId)) return body;
  throw unexpectedShape({ service: "nexus", label, status: answer.status }, "with rows that lack an id");
}

/** A numeric id becomes a string, in place. */
const hasId = (value: unknown): value is Row => {
  if (typeof value !== "object" || value === null || !("id" in value)) return false;
  if (typeof value.id === "number" || typeof value.id === "bigint") value.id = String(value.id);
  return typeof value.id === "string" && value.id !== "";
};

/** Column values of rows of unknown types. */
export const asText = (value: unknown): string | null =>
  typeof value === "string" || typeof value === "number" || typeof value === "bigint" ? String(value) : null;

export const asNumber = (value: unknown): number | null => {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "bigint") return Number(number);
  return typeof number === "number" && Number.isFinite(number) ? number : null;
};

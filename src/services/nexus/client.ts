// Nexus's tables over PostgREST, by @supabase/postgrest-js on our own transport.

import { PostgrestClient } from "@supabase/postgrest-js";
import { z } from "zod";
import type { Retry } from "../../http/client.ts";
import { HttpError } from "../../http/errors.ts";
import { toFetch } from "../../http/fetch.ts";
import type { NexusHttp } from "./http.ts";

/** db-max-rows may be 100 (the vendor's page on limits says so): a longer page would be cut without a word. */
const PAGE_SIZE = 100;
/** Ids in one `in.(…)`: about 4 kB of query, well below what gateways accept. */
const IDS_AT_ONCE = 100;
/** A uuid below every other: rows are paged by `id`, which no update moves. */
const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";

const row = z.looseObject({ id: z.string() });
export type Row = z.output<typeof row>;

/** A condition on one column, as PostgREST writes it. */
export interface Filter {
  column: string;
  operator: "eq" | "lte" | "lt" | "gte" | "gt";
  value: string | number;
}

export interface NexusClient {
  /** For operations: with the token, one origin, the budget. */
  readonly http: NexusHttp;
  /** Every row that meets the filter, each once, in pages by id; ended by an empty page, never by a short one. */
  readAll(table: string, select: string, filter: Filter, signal: AbortSignal): AsyncGenerator<Row[]>;
  /** The rows with these ids; those that do not exist are left out. */
  readByIds(table: string, select: string, ids: string[], signal: AbortSignal): Promise<Row[]>;
  /** Whether the table shows any row at all: an empty answer can also mean that nobody is signed in. */
  hasAnyRow(table: string, signal: AbortSignal): Promise<boolean>;
}

export function createNexusClient(options: { http: NexusHttp; retry: Retry }): NexusClient {
  const { http, retry } = options;
  const rest = new PostgrestClient(`${http.origin}/rest/v1`, {
    fetch: toFetch(http, (method, url) => `${method} ${url.pathname}`),
  });

  /** postgrest-js has retries of its own, which know no budget: ours rule. */
  const read = async (
    build: () => PromiseLike<{ data: unknown }>,
    table: string,
    signal: AbortSignal,
  ): Promise<Row[]> => {
    const { data } = await retry(async () => await build(), { signal });
    const rows = z.array(row).safeParse(data);
    if (rows.success) return rows.data;
    throw new HttpError({
      kind: "invalid_body",
      service: "nexus",
      label: `GET /rest/v1/${table}`,
      code: "unexpected_shape",
      message: `nexus: GET /rest/v1/${table} answered rows without an id`,
      retryable: false,
      maybeSent: true,
    });
  };

  return {
    http,
    async *readAll(table, select, filter, signal) {
      let after = BEFORE_ALL;
      for (;;) {
        const page = await read(
          () =>
            rest
              .from(table)
              .select(select)
              .filter(filter.column, filter.operator, filter.value)
              .gt("id", after)
              .order("id", { ascending: true })
              .limit(PAGE_SIZE)
              .retry(false)
              .abortSignal(signal)
              .throwOnError(),
          table,
          signal,
        );
        const last = page.at(-1);
        if (!last) return;
        yield page;
        after = last.id;
      }
    },
    async readByIds(table, select, ids, signal) {
      const rows: Row[] = [];
      for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
        const some = ids.slice(start, start + IDS_AT_ONCE);
        const found = await read(
          () =>
            rest.from(table).select(select).in("id", some).retry(false).abortSignal(signal).throwOnError(),
          table,
          signal,
        );
        rows.push(...found);
      }
      return rows;
    },
    async hasAnyRow(table, signal) {
      const rows = await read(
        () => rest.from(table).select("id").limit(1).retry(false).abortSignal(signal).throwOnError(),
        table,
        signal,
      );
      return rows.length > 0;
    },
  };
}

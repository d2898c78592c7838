// One pass of a watch over its table: page by page, each compared with the records stored in its range of ids.

import type { StoredRecord } from "../../contract/store.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { HttpError } from "../../http/errors.ts";
import { hasAnyRow, type Row, type RowPage, type RowReader, readByIds } from "./client.ts";
import { nameOf, selectOf, WATCHED_COLUMNS } from "./columns.ts";
import type { Filter } from "./query.ts";
import type { Changes, Pass, Watch, WatchSettings } from "./watch.ts";

/** db-max-rows may be 100 or 1000 (the vendor's pages differ): a page may be any length, and its end proves nothing. */
const MOST_ROWS = 1000;
const FEWEST_ROWS = 10;
/** PostgreSQL's statement timeout: the same page would meet it again. */
const STATEMENT_TIMEOUT = "57014";
/** Records read at once, so that a large set is never completely in memory. */
const RECORDS = 500;

/** Which rows of which table, with the server's names of the columns. */
interface Query {
  table: string;
  select: string;
  filters: Filter[];
}

/**
 * Reads the whole set once, and returns its changes page by page.
 * @throws HttpError, `empty_reading`, `unexpected_order`
 */
export async function* readPages<Settings extends WatchSettings, State>(
  nexus: RowReader,
  watch: Watch<Settings, State>,
  pass: Pass<Settings>,
): AsyncGenerator<Changes> {
  const { signal, pages } = pass;
  const settings = (await watch.prepare?.(nexus, pass.settings, signal)) ?? pass.settings;
  const { columns: names } = settings;
  const filters = watch
    .filter(settings)
    .map((filter) => ({ ...filter, column: nameOf(filter.column, names) }));
  const query: Query = {
    table: watch.table,
    select: selectOf(WATCHED_COLUMNS[watch.job], names),
    filters,
  };
  pages.begin(JSON.stringify([settings, query.select, filters]));

  const readPage = createReadPage(nexus, query, signal);
  let after = "";
  for (;;) {
    const seen = pages.seen(after);
    const { digest, rows } = await readPage(after, () =>
      seen && pass.now() < seen.until ? seen.digest : undefined,
    );
    let upTo: string | undefined;
    if (rows) {
      assertOrder(rows, after, watch.table);
      upTo = rows.at(-1)?.id;
      const judge = createJudge(watch, { ...pass, settings }, pass.now());
      const { isWhole } = await compare(nexus, query, pass, { after, upTo, rows }, judge);
      yield judge.changes;
      if (isWhole) pages.keep(after, { digest, upTo, until: judge.until() });
    } else if (seen) {
      pages.keep(after, seen);
      ({ upTo } = seen);
    } else throw new Error("a page that was never seen has no rows");
    if (upTo === undefined) return;
    after = upTo;
  }
}

/**
 * @returns a function that reads the page after an id, with fewer rows from then on if the server took too long for one
 */
function createReadPage(nexus: RowReader, query: Query, signal: AbortSignal) {
  let limit = MOST_ROWS;
  return async (after: string, known: () => string | undefined): Promise<RowPage> => {
    const position = after === "" ? [] : [{ column: "id", value: after }];
    for (;;) {
      try {
        return await nexus.readUnless(known(), { ...query, after: position, order: ["id"], limit }, signal);
      } catch (error) {
        const isSlow = error instanceof HttpError && error.code === STATEMENT_TIMEOUT;
        if (!isSlow || limit <= FEWEST_ROWS) throw error;
        limit = Math.ceil(limit / 4);
      }
    }
  };
}

interface Judge {
  /** What a row and its stored record mean for the log; added to `changes`. */
  (key: string, row: Row | undefined, stored: StoredRecord | undefined): void;
  changes: Changes;
  /** Until when everything judged stays valid; NaN: it has to be judged again. */
  until(): number;
}

function createJudge<Settings extends WatchSettings, State>(
  watch: Watch<Settings, State>,
  { settings, isOlder, lastPassAt }: Pick<Pass<Settings>, "settings" | "isOlder" | "lastPassAt">,
  now: number,
): Judge {
  const changes: Changes = { events: [], put: [], remove: [] };
  let until = Number.POSITIVE_INFINITY;
  const judge = (key: string, row: Row | undefined, stored: StoredRecord | undefined) => {
    const before = stored && watch.state.parse(stored.value);
    const { events, state } = watch.edges({ settings, row, before, now, isOlder, lastPassAt });
    changes.events.push(...events);
    // Math.min keeps NaN, which makes the page be judged again.
    if (state !== undefined && watch.turnsAt) until = Math.min(until, watch.turnsAt(state, settings));
    if (state === undefined) {
      if (stored) changes.remove.push({ kind: watch.kind, key });
    } else if (!stored || stringifyJson(state) !== stored.json)
      changes.put.push({ kind: watch.kind, key, value: state });
  };
  return Object.assign(judge, { changes, until: () => until });
}

/**
 * Walks through a page and the records in its range of ids side by side: both are ordered by id.
 * @returns isWhole: false if something is stored that is not in the page. A row that comes back at once stays stored,
 * although it is not in the page: the same page then means something else
 */
async function compare(
  nexus: RowReader,
  { table, select }: Query,
  { records, signal }: Pick<Pass<unknown>, "records" | "signal">,
  page: { after: string; upTo: string | undefined; rows: readonly Row[] },
  judge: Judge,
): Promise<{ isWhole: boolean }> {
  const { upTo, rows } = page;
  let isWhole = true;
  let next = 0;
  for (let from = page.after; ; ) {
    const stored = await records({ after: from, ...(upTo === undefined ? {} : { upTo }), limit: RECORDS });
    const gone: StoredRecord[] = [];
    for (const record of stored) {
      let row = rows[next];
      for (; row && row.id < record.key; row = rows[++next]) judge(row.id, row, undefined);
      if (row?.id !== record.key) gone.push(record);
      else {
        judge(row.id, row, record);
        next++;
      }
    }
    if (gone.length > 0) {
      isWhole = false;
      // Their present state says where they went; one that is back by now never left.
      const ids = gone.map(({ key }) => key);
      const found = new Map(
        (await readByIds(nexus, { table, select }, ids, signal)).map((row) => [row.id, row]),
      );
      if (found.size === 0 && !(await hasAnyRow(nexus, table, signal)))
        throw emptyReading(table, gone.length);
      for (const record of gone) judge(record.key, found.get(record.key), record);
    }
    const last = stored.at(-1);
    if (!last || stored.length < RECORDS) break;
    from = last.key;
  }
  for (const row of rows.slice(next)) judge(row.id, row, undefined);
  return { isWhole };
}

/** Our order of ids must be the server's, or a row would count as having left. */
function assertOrder(page: readonly Row[], after: string, table: string): void {
  let last = after;
  for (const { id } of page) {
    if (!(id > last))
      throw unbelievable(table, "unexpected_order", `returned rows that are not ordered by id`, false);
    last = id;
  }
}

const emptyReading = (table: string, count: number) =>
  unbelievable(
    table,
    "empty_reading",
    `returned no row at all, after ${count} before: ignored. Check the scopes of nexus.api_key.`,
    true,
  );

const unbelievable = (table: string, code: string, what: string, retryable: boolean) =>
  new HttpError({
    kind: "invalid_body",
    service: "nexus",
    label: `GET /rest/v1/${table}`,
    code,
    message: `nexus: ${table} ${what}`,
    retryable,
    maybeSent: true,
  });

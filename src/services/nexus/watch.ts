// Watches: a level condition on the rows of a table, told by its edges. A declaration says which table, which condition,
// and what it means when a row enters, changes or leaves; everything else is here.

import type { z } from "zod";
import type { NewEvent } from "../../contract/new-event.ts";
import type { Observation, StoredRecord } from "../../contract/store.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import type { SteadyClock } from "../../core/steady-clock.ts";
import { HttpError } from "../../http/errors.ts";
import { hasAnyRow, type Row, type RowPage, type RowReader, readByIds } from "./client.ts";
import {
  type ColumnNames,
  type Columns,
  nameOf,
  selectOf,
  WATCHED_COLUMNS,
  type WatchJob,
} from "./columns.ts";
import { driftError, driftOf } from "./drift.ts";
import type { Feed } from "./feed-rows.ts";
import type { PageMemory } from "./pages.ts";
import type { Filter } from "./query.ts";

/** What is known of one row: what was stored of it, and how it is now. */
export interface Look<Settings, State> {
  settings: Settings;
  /** As it is now, with our names of the columns; undefined: there is no such row any more. */
  row: Row | undefined;
  /** What was stored of it; undefined: it was not in the set. */
  before: State | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** Whether a time stamp of this machine is so old, whatever became of its clock; not while that is being put right. */
  isOlder: SteadyClock["isOlder"];
  /** When the last complete pass began; null: there was none. */
  lastPassAt: number | null;
}

/** What follows: its events, and what to store; undefined: it is not in the set (any more). */
export interface Verdict<State> {
  events: NewEvent[];
  state: State | undefined;
}

/** What the settings of every watch have. */
export interface WatchSettings {
  columns: ColumnNames;
  messages?: boolean;
  history?: boolean;
}

export interface Watch<Settings, State> {
  /** The name of its job, and the key of its settings in [jobs.<name>]. */
  job: WatchJob;
  description: string;
  table: string;
  /** Which rows are read: all that can be in the set. Columns by our names. */
  filter: (settings: Settings) => Filter[];
  /** Kind of its records, each stored under the id of its row. */
  kind: string;
  state: z.ZodType<State>;
  /**
   * Must not depend on anything else, and give nothing new where nothing has changed: not on `lastPassAt` for what was
   * in the set, and on `now` only from `turnsAt` on.
   */
  edges: (look: Look<Settings, State>) => Verdict<State>;
  /** When time alone will be an edge of a row with this state, in milliseconds since the epoch. */
  turnsAt?: (state: State, settings: Settings) => number;
  /** What has to be read before the rows: a threshold, say. */
  prepare?: (nexus: RowReader, settings: Settings, signal: AbortSignal) => Promise<Settings>;
  /** New rows of another table that are told along with it, unless its setting is false. */
  feed?: Feed & { setting: "messages" | "history" };
  /** The key of the settings with the value that the filter asks for. */
  valueKey?: string;
}

export const defineWatch = <Settings extends WatchSettings, State>(
  watch: Watch<Settings, State>,
): Watch<Settings, State> => watch;

export type Changes = Required<Pick<Observation, "events" | "put" | "remove">>;

export interface Pass<Settings> {
  settings: Settings;
  /** The records of the watch. */
  records: (part: { after: string; upTo?: string; limit: number }) => Promise<StoredRecord[]>;
  now: () => number;
  isOlder: SteadyClock["isOlder"];
  lastPassAt: number | null;
  /** Of the passes before, which nothing but this watch has followed by a change of its records. */
  pages: PageMemory;
  signal: AbortSignal;
}

/** db-max-rows may be 100 or 1000 (the vendor's pages differ): a page is what comes, and its end proves nothing. */
const MOST_ROWS = 1000;
const FEWEST_ROWS = 10;
/** PostgreSQL's statement timeout: the same page would run into it again. */
const STATEMENT_TIMEOUT = "57014";
/** Records at once, so that a large set is never in memory as a whole. */
const RECORDS = 500;

/**
 * Reads the whole set once and gives its changes page by page. Pages are cut by `id`, which no update moves: the rows
 * of a page are all that there are in its stretch of ids at that moment, so that what is stored there and missing in
 * the page has left the set, whatever happens to the pages after it. Each row is judged by one look at it. Changes that
 * were given stand also where a later page fails; what was not reached is neither seen nor missed.
 * @throws HttpError; `empty_reading` where Nexus shows no row at all while there should be some: the sign of a token
 * without rights, not of an empty shop; `schema_drift`
 */
export async function* readChanges<Settings extends WatchSettings, State>(
  nexus: RowReader,
  watch: Watch<Settings, State>,
  pass: Pass<Settings>,
): AsyncGenerator<Changes> {
  const columns: Columns = WATCHED_COLUMNS[watch.job];
  let names: ColumnNames = pass.settings.columns;
  for (;;) {
    try {
      yield* readWith(nexus, watch, { ...pass, settings: { ...pass.settings, columns: names } });
      return;
    } catch (error) {
      const drift = driftOf(error);
      if (!drift || !(error instanceof HttpError)) throw error;
      const missing = Object.keys(columns).find(
        (column) => drift.kind === "column" && names[column] !== "" && nameOf(column, names) === drift.name,
      );
      if (missing === undefined || columns[missing] !== "optional")
        throw driftError(error, drift, { ...watch, columns: Object.keys(columns) });
      names = { ...names, [missing]: "" };
    }
  }
}

async function* readWith<Settings extends WatchSettings, State>(
  nexus: RowReader,
  watch: Watch<Settings, State>,
  pass: Pass<Settings>,
): AsyncGenerator<Changes> {
  const { signal, isOlder, lastPassAt, pages } = pass;
  const settings = (await watch.prepare?.(nexus, pass.settings, signal)) ?? pass.settings;
  const { columns: names } = settings;
  const { table } = watch;
  const select = selectOf(WATCHED_COLUMNS[watch.job], names);
  const filters = watch
    .filter(settings)
    .map((filter) => ({ ...filter, column: nameOf(filter.column, names) }));

  pages.begin(JSON.stringify([settings, select, filters]));
  let now = pass.now();
  let until = 0;
  const judge = (changes: Changes, key: string, row: Row | undefined, stored: StoredRecord | undefined) => {
    const before = stored && watch.state.parse(stored.value);
    const { events, state } = watch.edges({ settings, row, before, now, isOlder, lastPassAt });
    changes.events.push(...events);
    // Math.min keeps NaN, by which the page is looked at again.
    if (state !== undefined && watch.turnsAt) until = Math.min(until, watch.turnsAt(state, settings));
    if (state === undefined) {
      if (stored) changes.remove.push({ kind: watch.kind, key });
    } else if (!stored || stringifyJson(state) !== stored.json)
      changes.put.push({ kind: watch.kind, key, value: state });
  };

  let after = "";
  for (let limit = MOST_ROWS; ; ) {
    const position = after === "" ? [] : [{ column: "id", value: after }];
    const seen = pages.seen(after);
    now = pass.now();
    const known = seen && now < seen.until ? seen.digest : undefined;
    let answer: RowPage;
    try {
      answer = await nexus.readUnless(
        known,
        { table, select, filters, after: position, order: ["id"], limit },
        signal,
      );
    } catch (error) {
      if (!(error instanceof HttpError) || error.code !== STATEMENT_TIMEOUT || limit <= FEWEST_ROWS)
        throw error;
      limit = Math.ceil(limit / 4);
      continue;
    }
    const { digest, rows: page } = answer;
    if (seen && !page) {
      pages.keep(after, seen);
      if (seen.upTo === undefined) return;
      after = seen.upTo;
      continue;
    }
    if (!page) throw new Error("a page that was never seen has no rows");
    assertOrder(page, after, table);
    const upTo = page.at(-1)?.id;
    now = pass.now();
    until = Number.POSITIVE_INFINITY;
    let isWhole = true;

    const changes: Changes = { events: [], put: [], remove: [] };
    // Rows and records are both in the order of their ids: they are walked through side by side.
    let next = 0;
    for (let from = after; ; ) {
      const stored = await pass.records({
        after: from,
        ...(upTo === undefined ? {} : { upTo }),
        limit: RECORDS,
      });
      const gone: StoredRecord[] = [];
      for (const record of stored) {
        let row = page[next];
        for (; row && row.id < record.key; row = page[++next]) judge(changes, row.id, row, undefined);
        if (row?.id !== record.key) gone.push(record);
        else {
          judge(changes, row.id, row, record);
          next++;
        }
      }
      // One that comes back at once stays stored, though it is not in the page: the same page says something else then.
      if (gone.length > 0) isWhole = false;
      // How they are now says where they went; one that is back by now never left.
      const found = new Map<string, Row>();
      const ids = gone.map(({ key }) => key);
      for (const row of await readByIds(nexus, { table, select }, ids, signal)) found.set(row.id, row);
      if (gone.length > 0 && found.size === 0 && !(await hasAnyRow(nexus, table, signal)))
        throw emptyReading(table, gone.length);
      for (const record of gone) judge(changes, record.key, found.get(record.key), record);
      const last = stored.at(-1);
      if (!last || stored.length < RECORDS) break;
      from = last.key;
    }
    for (const row of page.slice(next)) judge(changes, row.id, row, undefined);
    yield changes;
    if (isWhole) pages.keep(after, { digest, upTo, until });
    if (upTo === undefined) return;
    after = upTo;
  }
}

/** Our order of ids must be the server's, or a row would be taken for one that left. */
function assertOrder(page: readonly Row[], after: string, table: string): void {
  let last = after;
  for (const { id } of page) {
    if (!(id > last))
      throw unbelievable(
        table,
        "unexpected_order",
        `answered rows that are not in the order of their ids`,
        false,
      );
    last = id;
  }
}

const emptyReading = (table: string, count: number) =>
  unbelievable(
    table,
    "empty_reading",
    `shows no row at all, where there were ${count}: not believed. Check the scopes of nexus.api_key.`,
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

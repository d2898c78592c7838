// Watches: a level condition on the rows of a table, told by its edges. A declaration says which table, which condition,
// and what it means when a row enters, changes or leaves; everything else is here.

import type { z } from "zod";
import type { NewEvent } from "../../contract/new-event.ts";
import type { Observation, StoredRecord } from "../../contract/store.ts";
import type { SteadyClock } from "../../core/steady-clock.ts";
import { HttpError } from "../../http/errors.ts";
import type { Row, RowReader } from "./client.ts";
import { type ColumnNames, type Columns, nameOf, WATCHED_COLUMNS, type WatchJob } from "./columns.ts";
import { driftError, driftOf } from "./drift.ts";
import type { Feed } from "./feed-rows.ts";
import type { PageMemory } from "./pages.ts";
import type { Filter } from "./query.ts";
import { readPages } from "./watch-pass.ts";

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
      yield* readPages(nexus, watch, { ...pass, settings: { ...pass.settings, columns: names } });
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

// Watches: a level condition on the rows of a table, reported when it changes. A declaration says which table, which
// condition, and what it means when a row enters, changes or leaves; everything else is here.

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

/** What is known of one row: its stored record, and its present state. */
export interface Look<Settings, State> {
  settings: Settings;
  /** Its present state, with our names of the columns; undefined: the row does not exist any more. */
  row: Row | undefined;
  /** Its stored record; undefined: it was not in the set. */
  before: State | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** Whether a time stamp of this machine is this old, despite clock steps; false while the clock is not steady. */
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
  /** Which rows to read: all that can be in the set. Columns by our names. */
  filter: (settings: Settings) => Filter[];
  /** Kind of its records, each stored under the id of its row. */
  kind: string;
  state: z.ZodType<State>;
  /**
   * Must be a pure function that reports nothing new if nothing has changed: it may not depend on `lastPassAt` for what
   * was in the set, and on `now` only from `turnsAt` on.
   */
  edges: (look: Look<Settings, State>) => Verdict<State>;
  /** When time alone will change a row with this state, in milliseconds since the epoch. */
  turnsAt?: (state: State, settings: Settings) => number;
  /** What has to be read before the rows, such as a threshold. */
  prepare?: (nexus: RowReader, settings: Settings, signal: AbortSignal) => Promise<Settings>;
  /** New rows of another table that are reported along with it, unless its setting is false. */
  feed?: Feed & { setting: "messages" | "history" };
  /** The key of the settings with the value that the filter uses. */
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
  /** Of earlier passes, whose records only this watch has changed since. */
  pages: PageMemory;
  signal: AbortSignal;
}

/**
 * Reads the whole set once and returns its changes page by page. Pages are cut by `id`, which no update changes: the
 * rows of a page are all that exist in its range of ids at that moment, so a stored record that is missing from the
 * page has left the set, whatever happens to later pages. Each row is judged once. Returned changes stay valid even if
 * a later page fails; rows that were not reached are neither seen nor missed.
 * @throws HttpError; `empty_reading` if Nexus shows no row at all although there should be some: the sign of a token
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

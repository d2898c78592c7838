// The tables that both databases have, as they are moved: in the order of their keys, so that the rows already present
// tell where to resume.

export type Cell = string | number | Buffer | null;
export type Row = Readonly<Record<string, Cell>>;

export interface Table {
  name: string;
  /** The columns that order the rows. */
  key: readonly string[];
  columns: readonly string[];
}

const table = (name: string, key: readonly string[], more: string): Table => ({
  name,
  key,
  columns: [...key, ...more.split(/\s+/)],
});

const WRITE_COLUMNS = `operation service state request digest preview precondition target idempotent destructive approval
  reason agent idempotency_key account token_hash proposed_at expires_at shown_at decided_at decided_by signed_by note
  executing_at finished_at attempts result outcome body_removed_at approval_order`;

const TABLES: readonly Table[] = [
  table("events", ["sequence"], "id source type subject time data"),
  // `kept`: its data if its event was removed; `text`: its data, wherever it is.
  table("insights", ["sequence"], "time kept text"),
  table("cursors", ["source"], "value updated_at"),
  table("records", ["kind", "key"], "value updated_at"),
  table("dedupe", ["digest"], "seen_day"),
  // In clear while they are moved.
  table("secrets", ["name"], "value"),
  table("consumers", ["name"], "position types token_hash created_at updated_at"),
  table("writes", ["id"], WRITE_COLUMNS),
  table("audit", ["sequence"], "at action write_id digest via user signer detail covers previous_hash hash"),
];

/** The state outside the tables. */
export interface Ends {
  epoch: string;
  latest: number;
  oldest: number;
  auditRows: number;
  auditHead: string;
}

export interface Source {
  /** The first `limit` rows after this one. */
  rows(table: Table, after: Row | undefined, limit: number): Promise<Row[]>;
  ends(): Promise<Ends>;
}

export interface Target {
  last(table: Table): Promise<Row | undefined>;
  /** All of them, or none. */
  insert(table: Table, rows: readonly Row[]): Promise<void>;
  /** Sets the ends, and makes it a database that nexusd can open. */
  finish(ends: Ends): Promise<void>;
}

const AT_ONCE = 500;

/** Resumes where an earlier move stopped. @returns how many rows each table received this time */
export async function moveAll(
  source: Source,
  target: Target,
  { signal, onTable }: { signal: AbortSignal; onTable: (name: string, rows: number) => void },
): Promise<void> {
  for (const one of TABLES) {
    let moved = 0;
    for (let after = await target.last(one); ; ) {
      signal.throwIfAborted();
      const rows = await source.rows(one, after, AT_ONCE);
      if (rows.length === 0) break;
      await target.insert(one, rows);
      moved += rows.length;
      after = rows.at(-1);
    }
    onTable(one.name, moved);
  }
  await target.finish(await source.ends());
}

/** The condition and the order of a page. @param mark returns the placeholder of a value, by its number from 1 */
export function pageOf(
  { key }: Table,
  after: Row | undefined,
  mark: (at: number) => string,
  prefix = "",
): { where: string; order: string; values: Cell[] } {
  const columns = key.map((column) => `${prefix}${column}`).join(", ");
  const where = after ? `WHERE (${columns}) > (${key.map((_, at) => mark(at + 1)).join(", ")})` : "";
  return {
    where,
    order: `ORDER BY ${columns}`,
    values: after ? key.map((column) => after[column] ?? null) : [],
  };
}

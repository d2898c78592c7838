// SQLite's file as the source or target of a move.

import { closeSync, existsSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { searchTermsOf } from "../../contract/searchable.ts";
import { parseJson } from "../../core/exact-json.ts";
import { storeError, toStoreError } from "../sqlite/errors.ts";
import { migrate, readMigrations, refuseNewer } from "../sqlite/migrate.ts";
import { createSearchMemory } from "../sqlite/search-memory.ts";
import { type Cell, pageOf, type Row, type Source, type Table, type Target } from "./tables.ts";

const FILE = "nexusd.db";

/** @throws StoreError if there is none, or one of another version */
export function openSource(dataDir: string): { source: Source; close(): void } {
  const path = join(dataDir, FILE);
  if (!existsSync(path))
    throw storeError("unusable", path, "it does not exist", {
      remedy: "name the directory of the log that shall be moved",
    });
  const db = new Database(path, { fileMustExist: true, timeout: 2000 });
  try {
    const migrations = readMigrations();
    refuseNewer(db, migrations, path);
    if (Number(db.pragma("user_version", { simple: true })) < migrations.length)
      throw storeError("unusable", path, "its schema is older than this nexusctl", {
        remedy: "start the daemon once, which brings it up to date",
      });
  } catch (error) {
    db.close();
    throw toStoreError(error, path);
  }
  const meta = (key: string) =>
    db.prepare<[string], string | number>("SELECT value FROM meta WHERE key = ?").pluck().get(key);
  return {
    close: () => db.close(),
    source: {
      rows: async (table, after, limit) => {
        const { where, order, values } = pageOf(
          table,
          after,
          () => "?",
          table.name === "insights" ? "i." : "",
        );
        const from =
          table.name === "insights"
            ? `i.sequence, i.time, d.data AS kept, coalesce(d.data, e.data) AS text FROM insights i
               LEFT JOIN insight_data d USING (key) LEFT JOIN events e ON e.sequence = i.sequence`
            : `${table.columns.join(", ")} FROM ${table.name}`;
        return db.prepare<Cell[], Row>(`SELECT ${from} ${where} ${order} LIMIT ?`).all(...values, limit);
      },
      ends: async () => {
        const latest = Number(
          db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").pluck().get() ?? 0,
        );
        const oldest =
          db.prepare<[], number | null>("SELECT min(sequence) FROM events").pluck().get() ?? latest + 1;
        return {
          ...{ epoch: String(meta("epoch") ?? ""), latest, oldest },
          ...{ auditRows: Number(meta("audit_rows")), auditHead: String(meta("audit_head")) },
        };
      },
    },
  };
}

/** A temporary file beside the one that nexusd opens, until it is complete. @throws StoreError if that one exists */
export function openTarget(dataDir: string): { target: Target; close(): void } {
  const path = join(dataDir, FILE);
  const moving = `${path}.moving`;
  if (existsSync(path))
    throw storeError("unusable", path, "it is there already", { remedy: "move it away first" });
  if (!existsSync(moving)) closeSync(openSync(moving, "a", 0o600));
  const db = new Database(moving);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  migrate(db, readMigrations());
  const memory = createSearchMemory(db);
  const keep = db.prepare<[Cell, Cell]>(
    "INSERT INTO insight_data (key, data) SELECT key, ? FROM insights WHERE sequence = ?",
  );
  const remember = ({ sequence, time, kept, text }: Row) => {
    memory.add({
      sequence: Number(sequence),
      time: String(time),
      terms: searchTermsOf(parsed(text ?? null)),
    });
    if (kept !== null && kept !== undefined) keep.run(kept, sequence ?? null);
  };
  const isInsights = (table: Table) => table.name === "insights";
  return {
    close: () => db.close(),
    target: {
      last: async (table) =>
        db
          .prepare<[], Row>(
            `SELECT ${table.key.join(", ")} FROM ${table.name} ORDER BY ${table.key.map((key) => `${key} DESC`).join(", ")} LIMIT 1`,
          )
          .get(),
      insert: async (table, rows) => {
        const insert = isInsights(table)
          ? undefined
          : db.prepare<Cell[]>(
              `INSERT INTO ${table.name} (${table.columns.join(", ")}) VALUES (${table.columns.map(() => "?").join(", ")})`,
            );
        db.transaction(() => {
          for (const row of rows)
            if (insert) insert.run(...table.columns.map((column) => row[column] ?? null));
            else remember(row);
        }).immediate();
      },
      finish: async ({ epoch, latest, auditRows, auditHead }) => {
        const put = db.prepare<[string, Cell]>("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
        db.transaction(() => {
          db.prepare("DELETE FROM sqlite_sequence WHERE name = 'events'").run();
          db.prepare<[number]>("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)").run(latest);
          put.run("epoch", epoch);
          put.run("probes", 0);
          put.run("audit_rows", auditRows);
          put.run("audit_head", auditHead);
        }).immediate();
        db.pragma("wal_checkpoint(TRUNCATE)");
        db.pragma("journal_mode = DELETE");
        db.close();
        renameSync(moving, path);
        for (const rest of ["-wal", "-shm"]) rmSync(`${moving}${rest}`, { force: true });
      },
    },
  };
}

/** As the log's index does it: text that cannot be parsed has no words. */
function parsed(text: Cell): unknown {
  try {
    return typeof text === "string" ? parseJson(text) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

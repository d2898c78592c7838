// Opens the database file of a data directory, or says in one line why it cannot be used.

import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { removeLeftCopies } from "./backup.ts";
import { storeError, toStoreError } from "./errors.ts";
import { acquireLock } from "./lock.ts";
import { isOlder, type Migration, migrate, readMigrations, refuseNewer } from "./migrate.ts";
import { refuseForeignDirectory, refuseLinks } from "./own-files.ts";

export interface OpenDatabase {
  db: Database.Database;
  path: string;
  /** Closes the database, then releases the directory. */
  close(): void;
}

// Another program that writes to the database holds everything up, so the wait for it is short.
const BUSY_TIMEOUT_MS = 2000;

/** Called, and awaited, before an older database is upgraded, which may take long. */
export type OnMigration = () => Promise<void>;

/**
 * Creates `dataDir` (0700) and `nexusd.db` (0600) if missing, takes the lock, checks and migrates. An existing
 * directory keeps its mode, which somebody chose; doctor warns if it is too open.
 * @throws StoreError
 */
export const openDatabase = async (
  dataDir: string,
  onMigration: OnMigration = async () => {},
): Promise<OpenDatabase> => {
  const undo: (() => void)[] = [];
  const close = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    undo.push(openDirectory(dataDir).close);
    removeLeftCopies(dataDir);
    const path = join(dataDir, "nexusd.db");
    // SQLite gives the -wal and -shm files the mode of the database.
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, 0o600);
    const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    undo.push(() => db.close());
    const migrations = readMigrations();
    prepare(db, migrations, dataDir);
    if (isOlder(db, migrations)) await onMigration();
    migrate(db, migrations);
    return { db, path, close };
  } catch (error) {
    const reported = toStoreError(error, dataDir);
    close();
    throw reported;
  }
};

/** Makes the directory where it is missing, and takes it for this process. @throws StoreError */
export function openDirectory(dataDir: string): { close(): void } {
  try {
    refuseForeignDirectory(dataDir);
    makeDirectory(dataDir);
    refuseLinks(dataDir);
    return { close: acquireLock(dataDir).release };
  } catch (error) {
    throw toStoreError(error, dataDir);
  }
}

// Not `recursive: true`: that reports a read-only file system as ENOENT, and never returns on some paths in /proc.
export const makeDirectory = (path: string): void => {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
};

const prepare = (db: Database.Database, migrations: readonly Migration[], dataDir: string): void => {
  refuseNewer(db, migrations, dataDir);
  const check = db.pragma("quick_check(1)", { simple: true });
  if (check !== "ok") throw storeError("corrupt", dataDir, `the database is damaged (${check})`);

  db.pragma("temp_store = MEMORY"); // no temporary file outside the directory
  makeShrinkable(db);
  if (db.pragma("journal_mode = WAL", { simple: true }) !== "wal")
    throw storeError("unusable", dataDir, "the file system cannot share memory between processes");
  db.pragma("synchronous = FULL");
  db.pragma("foreign_keys = ON");
  db.pragma("secure_delete = ON");
  db.pragma("cache_size = -4000"); // KiB; the log is read by index, and the operating system caches the rest
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma("journal_size_limit = 16777216"); // bytes: the WAL shrinks again after a burst
};

/** Keeps the WAL around 16 MiB, so that pages that are written often are copied rarely. */
const CHECKPOINT_PAGES = 4000;

/** While much is removed, 1 MiB: 4000 pages at once take up to 300 ms. */
const PORTION_PAGES = 256;

/** What a file that is written to needs again at once. */
const KEPT_PAGES = 64;

/** Rewriting that much takes half a second, and its memory, before the sockets are open. */
const REWRITTEN_AT_START = 64 * 2 ** 20;

/**
 * Lets the file shrink while it is in use (removal.ts). SQLite does that only in a file that was made for it: an older
 * one is written anew at the first start at which it holds little, whatever its size.
 */
function makeShrinkable(db: Database.Database): void {
  const read = (name: string) => Number(db.pragma(name, { simple: true }));
  if (read("auto_vacuum") === INCREMENTAL) return;
  const used = (read("page_count") - read("freelist_count")) * read("page_size");
  if (used > REWRITTEN_AT_START) return;
  db.pragma("auto_vacuum = INCREMENTAL");
  if (used > 0) db.exec("VACUUM");
}

const INCREMENTAL = 2;

export interface Shrinking {
  /** From now on what is committed is written into the file in small portions, since each holds everything up. */
  begin(): void;
  /** Pages that the file need not keep; 0 if it cannot shrink. */
  free(): number;
  /** Gives up to so many of them back to the file system. Runs inside a transaction. */
  reclaim(most: number): void;
  end(): void;
}

export function createShrinking(db: Database.Database): Shrinking {
  const read = (name: string) => Number(db.pragma(name, { simple: true }));
  return {
    begin: () => {
      if (db.open) db.pragma(`wal_autocheckpoint = ${PORTION_PAGES}`);
    },
    free: () =>
      db.open && read("auto_vacuum") === INCREMENTAL ? Math.max(0, read("freelist_count") - KEPT_PAGES) : 0,
    // Not as a simple pragma: that would step once, and each step gives back one page.
    reclaim: (most) => void db.pragma(`incremental_vacuum(${most})`),
    end: () => {
      if (!db.open) return; // the daemon has stopped meanwhile
      // The file itself gets shorter with it.
      db.pragma("wal_checkpoint(PASSIVE)");
      db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    },
  };
}

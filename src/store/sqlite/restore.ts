// Replaces the database with a backup, while no daemon is running.

import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  lchownSync,
  linkSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join, resolve } from "node:path";
import Database from "better-sqlite3";
import { ulid } from "ulid";
import type { Actor } from "../../contract/actor.ts";
import type { Store } from "../../contract/store.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import { storeError, toStoreError } from "./errors.ts";
import { acquireLock } from "./lock.ts";
import { readMigrations, refuseNewer } from "./migrate.ts";
import { makeDirectory } from "./open.ts";
import { refuseLinks } from "./own-files.ts";
import { openStore } from "./store.ts";

export interface Restored {
  path: string;
  /** A new epoch, so that every reader notices that the log may have gone back. */
  epoch: string;
  /** Where the previous database is now; null if there was none. */
  keptAside: string | null;
  /** Writes that were approved but not finished when the backup was made: their outcome is unknown. */
  doubtfulWrites: string[];
}

const NEXUSD: Actor = { via: "nexusd", user: null };

/**
 * The present database is kept. If anything fails before the last step, it stays in place.
 * @throws StoreError: `locked` while a daemon runs, `corrupt` or `newer_version` for the backup file, and errors of
 * the disk
 */
export async function restoreDatabase(file: string, dataDir: string, clock: Clock): Promise<Restored> {
  const directory = resolve(dataDir);
  const undo: (() => void)[] = [];
  try {
    makeDirectory(directory);
    refuseLinks(directory);
    const lock = acquireLock(directory);
    undo.push(lock.release);
    const staging = mkdtempSync(join(directory, ".nexusd-restore-"));
    undo.push(() => rmSync(staging, { recursive: true, force: true }));
    const prepared = await prepare(resolve(file), staging, clock);

    const path = join(directory, "nexusd.db");
    const keptAside = existsSync(path) ? keepAside(path, clock) : null;
    for (const part of [`${path}-wal`, `${path}-shm`]) rmSync(part, { force: true });
    renameSync(join(staging, "nexusd.db"), path);
    giveToOwner(directory, [path, keptAside, "nexusd.lock", "nexusd.pid"]);
    sync(directory);
    return { path, keptAside, ...prepared };
  } catch (error) {
    throw toStoreError(error, directory);
  } finally {
    for (const step of undo.reverse()) step();
  }
}

/** Prepares `nexusd.db` in `staging` for installation: checked, with a new epoch, and of the newest schema. */
async function prepare(
  file: string,
  staging: string,
  clock: Clock,
): Promise<Pick<Restored, "epoch" | "doubtfulWrites">> {
  const path = join(staging, "nexusd.db");
  if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0)
    throw storeError("corrupt", file, "part of it is in a -wal file beside it", {
      remedy: "restore a file made by `nexusctl backup`",
    });
  copyFileSync(file, path, constants.COPYFILE_EXCL);
  chmodSync(path, 0o600);
  const epoch = ulid(clock.now());
  try {
    renew(path, file, epoch);
  } catch (error) {
    throw toStoreError(error, file);
  }
  // The store itself upgrades it, so that nothing is left to fail when the daemon starts.
  const store = await openStore({ dataDir: staging, clock });
  let doubtfulWrites: string[];
  try {
    doubtfulWrites = await doubtApproved(store, clock);
  } finally {
    await store.close();
  }
  sync(path);
  return { epoch, doubtfulWrites };
}

/**
 * A write that was approved then may have been executed since. Only a person can find out, and nothing may be
 * executed twice. The only way from approved to unknown leads through executing.
 */
async function doubtApproved(store: Store, clock: Clock): Promise<string[]> {
  const code = "restored";
  const message = "the backup that was restored was made before the write was done";
  const remedy = "See at the service whether it was done since, and resolve it.";
  const doubtful: string[] = [];
  const at = isoTime(clock.now());
  const next = async () =>
    (await store.readWrites({ states: ["executing"], limit: 1 }))[0] ??
    (await store.claimNextWrite(NEXUSD, at));
  for (let write = await next(); write; write = await next()) {
    const patch = { result: { error: { code, message }, remedy }, finishedAt: at };
    const { id } = write;
    const detail = { code };
    await store.transitionWrite({ id, from: "executing", to: "unknown", patch, actor: NEXUSD, at, detail });
    doubtful.push(id);
  }
  return doubtful;
}

function renew(path: string, file: string, epoch: string): void {
  const db = new Database(path);
  try {
    refuseNewer(db, readMigrations(), file);
    const check = db.pragma("quick_check(1)", { simple: true });
    if (check !== "ok") throw storeError("corrupt", file, `it is damaged (${check})`, { remedy: OTHER });
    const isOurs = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get() !== undefined;
    const changed = isOurs
      ? db.prepare("UPDATE meta SET value = ? WHERE key = 'epoch'").run(epoch).changes
      : 0;
    if (changed !== 1) throw storeError("corrupt", file, "it is not a nexusd database", { remedy: OTHER });
  } catch (error) {
    if (error instanceof Database.SqliteError && /CORRUPT|NOTADB/.test(error.code))
      throw storeError("corrupt", file, `it is damaged (${error.message})`, { remedy: OTHER, cause: error });
    throw error;
  } finally {
    db.close();
  }
}

const OTHER = "restore another backup; the present database is unchanged";

/** @returns the new path. An intact database also keeps its old name until it is replaced. */
function keepAside(path: string, clock: Clock): string {
  const time = isoTime(clock.now()).replaceAll(/[:.]/g, "-");
  const aside = `${path}.before-restore-${time}`;
  if (foldWal(path)) linkSync(path, aside);
  else {
    // Damaged: kept as it is, with its write-ahead log under the name that SQLite looks for.
    renameSync(path, aside);
    if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  }
  return aside;
}

/** Writes the -wal file's content into the database. @returns false if that cannot be done */
function foldWal(path: string): boolean {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { timeout: 2000 });
    db.pragma("wal_checkpoint(TRUNCATE)");
    return db.pragma("journal_mode = DELETE", { simple: true }) === "delete";
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    return false;
  } finally {
    db?.close();
  }
}

/** Files restored by root would belong to root, and the daemon could not open them. */
function giveToOwner(directory: string, files: (string | null)[]): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  for (const file of files) {
    const path = file === null ? undefined : resolve(directory, file);
    if (path !== undefined && existsSync(path)) lchownSync(path, uid, gid);
  }
}

function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

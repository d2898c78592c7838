// One process per data directory, by a lock that the kernel drops with the process, however it ends.

import { chmodSync, closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { storeError } from "./errors.ts";

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

export interface Lock {
  release(): void;
}

/**
 * Takes the directory for this process. Nothing is ever written into the lock's database: its transaction alone
 * is the lock, an fcntl lock of SQLite. The holder's pid is beside it, for the message to the second one.
 * @throws StoreError `locked`, and what SQLite and the file system throw
 */
export const acquireLock = (dataDir: string): Lock => {
  const path = join(dataDir, "nexusd.lock");
  const pidPath = join(dataDir, "nexusd.pid");
  // Never opened once it is there: closing any descriptor of a file drops every fcntl lock of this process on it.
  if (existsSync(path)) chmodSync(path, 0o600);
  else closeSync(openSync(path, "a", 0o600));

  const db = new Database(path, { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY"))
      throw storeError("locked", dataDir, `in use by ${holder(pidPath)}`, {
        cause: error,
        remedy: "stop that one, or name another directory in [daemon] data_dir",
      });
    throw error;
  }
  try {
    const pid = openSync(pidPath, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    writeSync(pid, `${process.pid}\n`);
    closeSync(pid);
  } catch {
    // It only serves a message; what is wrong with the directory shows when the database is opened.
  }
  return { release: () => db.close() };
};

const holder = (pidPath: string): string => {
  try {
    const [pid] = /^\d+/.exec(readFileSync(pidPath, "utf8")) ?? [];
    return pid ? `another nexusd, process ${pid}` : "another nexusd";
  } catch {
    return "another nexusd";
  }
};

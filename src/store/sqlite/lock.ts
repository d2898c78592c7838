// One process per data directory, by a lock that the kernel releases when the process ends, however it ends.

import { chmodSync, closeSync, constants, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { storeError } from "./errors.ts";

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

export interface Lock {
  release(): void;
}

/**
 * Takes the directory for this process. The lock is an open transaction on a database of its own, so an fcntl lock of
 * SQLite; nothing is ever written to it. The holder's pid is stored beside it, for the error message of a second
 * process.
 * @throws StoreError `locked`, and whatever SQLite and the file system throw
 */
export const acquireLock = (dataDir: string): Lock => {
  const path = join(dataDir, "nexusd.lock");
  const pidPath = join(dataDir, "nexusd.pid");
  // An existing file is never opened: closing any descriptor of it drops every fcntl lock of this process on it.
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
        remedy: "stop that process, or name another directory in [daemon] data_dir",
      });
    throw error;
  }
  try {
    const pid = openSync(pidPath, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    writeSync(pid, `${process.pid}\n`);
    closeSync(pid);
  } catch {
    // The pid is only for a message; if the directory is unusable, opening the database reports it.
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

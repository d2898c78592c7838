// Maps errors of SQLite and the file system to the few cases that a person can do something about.

import { statfsSync } from "node:fs";
import Database from "better-sqlite3";
import { StoreError, type StoreErrorCode } from "../../contract/store.ts";

// Less than this counts as no room: SQLite grows its files by pages and by 32 KiB of shared memory.
const ROOM_BYTES = 64 * 1024;

const REMEDIES: Record<StoreErrorCode, string> = {
  locked: "stop the other program that uses it, then try again",
  newer_version: "update nexusd, or name another directory in [daemon] data_dir",
  corrupt:
    "move the directory's nexusd.db* files away to begin a new log, or replace them with a backup; `sqlite3 nexusd.db .recover` may save what is in them",
  full: "free some space there, or name another directory in [daemon] data_dir",
  read_only: "mount it writable, or name another directory in [daemon] data_dir",
  unusable: "name a directory that nexusd's user owns in [daemon] data_dir",
  busy: "ask for less, or try again later",
  io: "check the disk (dmesg), its quota and its mount",
  fenced: "another node does it now",
};

/**
 * A StoreError with a message of one line: the place, what is wrong, the remedy (default: the remedy of the code).
 */
export const storeError = (
  code: StoreErrorCode,
  place: string,
  wrong: string,
  { remedy = REMEDIES[code], cause }: { remedy?: string; cause?: unknown } = {},
): StoreError => new StoreError(code, `${place}: ${wrong.replaceAll(/\s+/g, " ")}; ${remedy}`, cause);

/** The StoreError for an error of SQLite or the file system; any other error is a defect and comes back unchanged. */
export const toStoreError = (error: unknown, place: string): unknown => {
  if (error instanceof Database.SqliteError) return fromSqlite(error, place);
  if (isSystemError(error)) return fromSystem(error, place);
  return error;
};

const fromSqlite = (error: InstanceType<typeof Database.SqliteError>, place: string): Error => {
  const is = (code: string) => error.code === code || error.code.startsWith(`${code}_`);
  if (is("SQLITE_FULL")) return full(place, error);
  if (is("SQLITE_READONLY"))
    return storeError("read_only", place, "the database cannot be written", { cause: error });
  if (is("SQLITE_CORRUPT") || is("SQLITE_NOTADB"))
    return storeError("corrupt", place, `the database is damaged (${error.message})`, { cause: error });
  if (is("SQLITE_BUSY")) return storeError("locked", place, "the database is locked", { cause: error });
  // On a full disk, extending the shared memory file or creating a file can fail, too.
  if ((is("SQLITE_IOERR") || is("SQLITE_CANTOPEN")) && !hasRoom(place)) return full(place, error);
  if (is("SQLITE_CANTOPEN"))
    return storeError("unusable", place, "the database cannot be opened or created", { cause: error });
  if (is("SQLITE_IOERR") || is("SQLITE_PROTOCOL") || is("SQLITE_NOMEM"))
    return storeError("io", place, `the database cannot be read or written (${error.code})`, {
      cause: error,
    });
  return error; // a constraint, a wrong statement: a defect of nexusd
};

const fromSystem = (error: NodeJS.ErrnoException, place: string): StoreError => {
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
      return full(place, error);
    case "EROFS":
      return storeError("read_only", place, "the file system is read-only", { cause: error });
    case "EACCES":
    case "EPERM":
      return storeError("unusable", place, "no permission to write there", { cause: error });
    case "ENOTDIR":
    case "EEXIST":
      return storeError("unusable", place, "it is not a directory", { cause: error });
    case "EIO":
      return storeError("io", place, "the disk reports an error", { cause: error });
    default:
      return storeError("unusable", place, `the directory cannot be used (${error.code})`, { cause: error });
  }
};

const full = (place: string, cause: unknown): StoreError =>
  storeError("full", place, "no room left on the disk", { cause });

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "code" in error;

const hasRoom = (place: string): boolean => {
  try {
    const { bavail, bsize, ffree, files } = statfsSync(place);
    return bavail * bsize >= ROOM_BYTES && (files === 0 || ffree > 0);
  } catch {
    return true; // unknown: the error speaks for itself
  }
};

// What SQLite and the file system report, as the few things that a person can do something about.

import { statfsSync } from "node:fs";
import Database from "better-sqlite3";
import { StoreError, type StoreErrorCode } from "../../contract/store.ts";

// Less than this is no room: SQLite grows its files by pages and by 32 KiB of shared memory.
const ROOM_BYTES = 64 * 1024;

const REMEDIES: Record<StoreErrorCode, string> = {
  locked: "stop the other program that uses it, then try again",
  newer_version: "update nexusd, or name another directory in [daemon] data_dir",
  corrupt:
    "move the directory's nexusd.db* files away to begin a new log, or put a backup in their place; `sqlite3 nexusd.db .recover` may save what is in them",
  full: "free some space there, or name a larger place in [daemon] data_dir",
  read_only: "mount it writable, or name another directory in [daemon] data_dir",
  unusable: "name a directory that nexusd's user owns in [daemon] data_dir",
  busy: "ask for less at once, or try again later",
  io: "check the disk (dmesg), its quota and its mount",
};

/** A StoreError whose message is one line: the place, what is wrong, the remedy (unless given, the code's own). */
export const storeError = (
  code: StoreErrorCode,
  place: string,
  wrong: string,
  { remedy = REMEDIES[code], cause }: { remedy?: string; cause?: unknown } = {},
): StoreError => new StoreError(code, `${place}: ${wrong.replaceAll(/\s+/g, " ")}; ${remedy}`, cause);

/** The StoreError for what SQLite or the file system threw; anything else is a defect and comes back unchanged. */
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
  // A full disk also shows as a failure to extend the shared memory file or to create a file.
  if ((is("SQLITE_IOERR") || is("SQLITE_CANTOPEN")) && !hasRoom(place)) return full(place, error);
  if (is("SQLITE_CANTOPEN"))
    return storeError("unusable", place, "the database cannot be opened or created", { cause: error });
  if (is("SQLITE_IOERR") || is("SQLITE_PROTOCOL") || is("SQLITE_NOMEM"))
    return storeError("io", place, `the database cannot be read or written (${error.code})`, {
      cause: error,
    });
  return error; // a constraint, a wrong statement: a defect of ours
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
    return true; // not known: the error speaks for itself
  }
};

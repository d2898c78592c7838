import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { toStoreError } from "../../src/store/sqlite/errors.ts";
import { fillDisk, smallDisk, temporaryDirectory } from "../support/store.ts";

const sqlite = (code: string) => new Database.SqliteError("disk I/O error", code);

test("an I/O error on a full disk is a full disk, elsewhere an I/O error", ({ skip }) => {
  const disk = smallDisk(skip, "1m");
  fillDisk(join(disk.directory, "filler"));
  // Some file systems report the missing room at fsync only, which no small file system here does.
  expect(toStoreError(sqlite("SQLITE_IOERR_FSYNC"), disk.directory)).toMatchObject({ code: "full" });
  expect(toStoreError(sqlite("SQLITE_IOERR_FSYNC"), temporaryDirectory())).toMatchObject({ code: "io" });
});

test.each([
  ["SQLITE_FULL", "full"],
  ["SQLITE_READONLY_DBMOVED", "read_only"],
  ["SQLITE_IOERR_READ", "io"],
  ["SQLITE_CORRUPT_INDEX", "corrupt"],
  ["SQLITE_NOTADB", "corrupt"],
  ["SQLITE_BUSY_SNAPSHOT", "locked"],
])("%s is %s, in one line that keeps its cause", (code, expected) => {
  const cause = sqlite(code);
  const error = toStoreError(cause, "/data");
  expect(error).toMatchObject({ name: "StoreError", code: expected, cause });
  expect(String(error)).toMatch(/^StoreError: \/data: [^\n]+; [^\n]+$/);
});

test("a defect of nexusd is not reported as an error of the disk", () => {
  for (const error of [sqlite("SQLITE_CONSTRAINT_NOTNULL"), sqlite("SQLITE_ERROR"), new TypeError("x")])
    expect(toStoreError(error, "/data")).toBe(error);
});

// A consistent copy of the database while it is in use, by SQLite's online backup.

import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "better-sqlite3";

const PREFIX = ".nexusd-backup-";

/**
 * Copies the database as it is when the copying ends.
 * @returns the copy, opened for reading; its file name is already removed, so the caller only has to close it
 */
export async function copyDatabase(db: Database, dataDir: string): Promise<FileHandle> {
  const path = copyName(dataDir);
  try {
    // Created first: SQLite would create it with the mode of the umask.
    closeSync(openSync(path, "wx", 0o600));
    await db.backup(path);
    return await open(path, "r");
  } finally {
    removeCopy(path);
  }
}

/** The daemon removes a copy that was left behind when it starts. */
export const copyName = (dataDir: string): string =>
  join(dataDir, `${PREFIX}${randomBytes(8).toString("hex")}`);

/** Only the name is removed: whoever has the file open can go on reading. */
export function removeCopy(path: string): void {
  for (const file of [path, `${path}-journal`, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
}

/** Removes what a process that was killed while copying left behind. Only for the holder of the directory's lock. */
export function removeLeftCopies(dataDir: string): void {
  for (const name of readdirSync(dataDir))
    if (name.startsWith(PREFIX)) rmSync(join(dataDir, name), { force: true });
}

// A consistent copy of the database while it is in use, by SQLite's online backup.

import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "better-sqlite3";

const PREFIX = ".nexusd-backup-";

/**
 * Copies the database as it is at the end of the copying.
 * @returns the copy opened for reading; its name is gone already, so that closing it is all that is left to do
 */
export async function copyDatabase(db: Database, dataDir: string): Promise<FileHandle> {
  const path = copyName(dataDir);
  try {
    // Made first, since SQLite would make it with the mode of the umask.
    closeSync(openSync(path, "wx", 0o600));
    await db.backup(path);
    return await open(path, "r");
  } finally {
    removeCopy(path);
  }
}

/** Of a copy that a daemon removes at its start, where it was left behind. */
export const copyName = (dataDir: string): string =>
  join(dataDir, `${PREFIX}${randomBytes(8).toString("hex")}`);

/** The name alone: who has it open goes on reading. */
export function removeCopy(path: string): void {
  for (const file of [path, `${path}-journal`, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
}

/** Removes what a process that was killed while it copied has left. Only for the holder of the directory's lock. */
export function removeLeftCopies(dataDir: string): void {
  for (const name of readdirSync(dataDir))
    if (name.startsWith(PREFIX)) rmSync(join(dataDir, name), { force: true });
}

// What is nexusd's own in its data directory, and that nobody else has put something else in its place.

import { lstatSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { storeError } from "./errors.ts";

export const OWN_FILES = ["nexusd.db", "nexusd.db-wal", "nexusd.db-shm", "nexusd.lock", "nexusd.pid"];
const OWN_DIRECTORIES = ["budgets"];

/**
 * What root makes in somebody else's directory is lost to that user's own nexusd, and whoever owns a directory can lead
 * root to any file of the machine.
 * @throws StoreError `unusable` where root would use a directory of another user, or make one in it
 */
export function refuseForeignDirectory(dataDir: string): void {
  if (process.getuid?.() !== 0) return;
  let nearest = resolve(dataDir);
  let stat = statSync(nearest, { throwIfNoEntry: false });
  while (stat === undefined && dirname(nearest) !== nearest) {
    nearest = dirname(nearest);
    stat = statSync(nearest, { throwIfNoEntry: false });
  }
  if (stat === undefined || stat.uid === 0) return;
  throw storeError(
    "unusable",
    dataDir,
    `nexusd was started as root, and ${nearest} belongs to user ${stat.uid}`,
    {
      remedy: `start it as that user (systemctl start nexusd, or sudo -u '#${stat.uid}'), or name a directory of root's in [daemon] data_dir`,
    },
  );
}

/**
 * Neither SQLite nor chmod stops at a link, so that it is looked for before them.
 * @throws StoreError `unusable` where something is a link, or no file
 */
export function refuseLinks(dataDir: string): void {
  for (const name of [...OWN_FILES, ...OWN_DIRECTORIES]) {
    const stat = lstatSync(join(dataDir, name), { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.isSymbolicLink())
      throw storeError("unusable", dataDir, `${name} in it is a link, and nexusd follows none there`, {
        remedy: "put what it leads to in its place, or name another directory in [daemon] data_dir",
      });
    if (OWN_DIRECTORIES.includes(name) ? !stat.isDirectory() : !stat.isFile())
      throw storeError("unusable", dataDir, `${name} in it is something else than nexusd makes`, {
        remedy: "move it away, or name another directory in [daemon] data_dir",
      });
  }
}

// Which files in the data directory are nexusd's own, and whether somebody replaced one of them.

import { lstatSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { storeError } from "./errors.ts";

export const OWN_FILES = ["nexusd.db", "nexusd.db-wal", "nexusd.db-shm", "nexusd.lock", "nexusd.pid"];
const OWN_DIRECTORIES = ["budgets"];

/**
 * Files that root creates in another user's directory lock that user's nexusd out, and the owner of a directory can
 * point root at any file of the machine.
 * @throws StoreError `unusable` if root would use another user's directory, or create one in it
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
 * SQLite and chmod both follow links, so links are looked for first.
 * @throws StoreError `unusable` if a name is a link, or not a regular file
 */
export function refuseLinks(dataDir: string): void {
  for (const name of [...OWN_FILES, ...OWN_DIRECTORIES]) {
    const stat = lstatSync(join(dataDir, name), { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.isSymbolicLink())
      throw storeError("unusable", dataDir, `${name} in it is a link, which nexusd does not follow`, {
        remedy: "replace it with the file it points to, or name another directory in [daemon] data_dir",
      });
    if (OWN_DIRECTORIES.includes(name) ? !stat.isDirectory() : !stat.isFile())
      throw storeError("unusable", dataDir, `${name} in it is not a regular file`, {
        remedy: "move it away, or name another directory in [daemon] data_dir",
      });
  }
}

// The file of a Unix socket: which one it is, and how it is taken away without ever taking another one.

import { randomBytes } from "node:crypto";
import { closeSync, linkSync, lstatSync, openSync, renameSync, unlinkSync } from "node:fs";

/** Tells one file from every other one that has had its name. */
export interface FileIdentity {
  readonly isSocket: boolean;
  readonly isDirectory: boolean;
  readonly dev: bigint;
  readonly ino: bigint;
  /** Of a socket: when it was bound. The number of an inode is given again at once, this is not. */
  readonly mtimeNs: bigint;
}

/** Undefined where there is nothing; a link is what it is, not what it leads to. @throws what lstat throws */
export function identify(path: string): FileIdentity | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stats) return undefined;
  const { dev, ino, mtimeNs } = stats;
  return { isSocket: stats.isSocket(), isDirectory: stats.isDirectory(), dev, ino, mtimeNs };
}

export const isSame = (one: FileIdentity, other: FileIdentity): boolean =>
  one.ino === other.ino && one.dev === other.dev && one.mtimeNs === other.mtimeNs;

/** Removes this very file. @returns false where another one has its name, which stays @throws where it cannot */
export function takeAway(path: string, file: FileIdentity): boolean {
  const now = identify(path);
  if (now === undefined) return true;
  if (!isSame(now, file)) return false;
  // Renamed first, and looked at again: no other file is ever unlinked, whoever is quicker.
  const aside = asideOf(path);
  renameSync(path, aside);
  const taken = identify(aside);
  if (taken && !isSame(taken, file)) {
    putBack(aside, path);
    return false;
  }
  unlinkSync(aside);
  return true;
}

/**
 * Moves what is at `path` out of the way, and puts an empty file there that may be removed.
 * @returns where it is now; undefined where nothing was there, or where it cannot be moved and so cannot be removed
 */
export function moveAside(path: string): string | undefined {
  let aside: string | undefined;
  try {
    const there = identify(path);
    // Nothing unlinks a directory.
    if (there?.isDirectory) return undefined;
    if (there) {
      aside = asideOf(path);
      renameSync(path, aside);
    }
  } catch {
    return undefined;
  }
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // No room for it: then there is nothing at that name, or what came in this instant.
  }
  return aside;
}

/** The opposite of `moveAside`. What has come to `path` meanwhile stays, and so does then what was moved. */
export function putBack(aside: string, path: string): void {
  try {
    linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    // Both are there, the older one under the name that it was given.
  }
}

const asideOf = (path: string) => `${path}.${randomBytes(4).toString("hex")}`;

// The file of a Unix socket: how to identify it, and how to remove it without ever removing another one.

import { randomBytes } from "node:crypto";
import { closeSync, linkSync, lstatSync, openSync, renameSync, unlinkSync } from "node:fs";

/** Tells a file from every other one that had the same name. */
export interface FileIdentity {
  readonly isSocket: boolean;
  readonly isDirectory: boolean;
  readonly dev: bigint;
  readonly ino: bigint;
  /** For a socket, when it was bound. Inode numbers are reused at once, this is not. */
  readonly mtimeNs: bigint;
}

/** Undefined if nothing is there; links are not followed. @throws what lstat throws */
export function identify(path: string): FileIdentity | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stats) return undefined;
  const { dev, ino, mtimeNs } = stats;
  return { isSocket: stats.isSocket(), isDirectory: stats.isDirectory(), dev, ino, mtimeNs };
}

export const isSame = (one: FileIdentity, other: FileIdentity): boolean =>
  one.ino === other.ino && one.dev === other.dev && one.mtimeNs === other.mtimeNs;

/** Removes exactly this file. @returns false if another one has its name, which stays @throws if it cannot */
export function takeAway(path: string, file: FileIdentity): boolean {
  const now = identify(path);
  if (now === undefined) return true;
  if (!isSame(now, file)) return false;
  // Renamed first, then checked again: no other file is ever unlinked, whatever the race.
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
 * Moves what is at `path` aside, and puts an empty file there that may be removed.
 * @returns its new path; undefined if nothing was there, or if it cannot be moved and so cannot be removed
 */
export function moveAside(path: string): string | undefined {
  let aside: string | undefined;
  try {
    const there = identify(path);
    // A directory cannot be unlinked.
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
    // The disk is full, so nothing has that name, or another file has just taken it.
  }
  return aside;
}

/** Undoes `moveAside`. A file that is at `path` by now stays, and so does the one that was moved. */
export function putBack(aside: string, path: string): void {
  try {
    linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    // Both stay, the older one under its temporary name.
  }
}

const asideOf = (path: string) => `${path}.${randomBytes(4).toString("hex")}`;

// Creates a file atomically, readable by its owner only, and never replaces an existing one.

import { randomBytes } from "node:crypto";
import { existsSync, linkSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Failed } from "./problem.ts";

/**
 * @param write creates the file at the given path, where nothing exists yet, with mode 0600
 * @throws Failed `file_exists`, `not_written`; and what `write` throws
 * @returns the absolute path
 */
export async function writeNewFile(file: string, write: (path: string) => Promise<void>): Promise<string> {
  const path = resolve(file);
  if (existsSync(path)) throw alreadyThere(path);
  const part = `${path}.part-${randomBytes(4).toString("hex")}`;
  try {
    await write(part);
    await sync(part);
    // Unlike a rename, this never replaces a file that has appeared meanwhile.
    linkSync(part, path);
    await sync(dirname(path));
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error && "code" in error)) throw error;
    if (error.code === "EEXIST") throw alreadyThere(path);
    const detail = `${path} cannot be written: ${error.message}`;
    throw new Failed({ title: "Not written", detail, code: "not_written" }, { cause: error });
  } finally {
    rmSync(part, { force: true });
  }
  return path;
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const alreadyThere = (path: string) =>
  new Failed({
    title: "Already there",
    detail: `${path} exists, and files are never overwritten. Name another one.`,
    code: "file_exists",
  });

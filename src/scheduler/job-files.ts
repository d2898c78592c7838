// The files of the jobs directory, and whether any of them has changed.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

const isSource = (name: string) => /\.(c|m)?(js|ts)$|\.json$/.test(name);
const isOthers = (name: string) => /(^|[/\\])(node_modules|\.git)([/\\]|$)/.test(name);

/**
 * Their names relative to the directory, sorted, and a fingerprint of all their contents.
 * @returns the system's error code if the directory cannot be read
 */
export async function readFiles(
  directory: string,
): Promise<{ names: string[]; fingerprint: string } | { code: string }> {
  let entries: Awaited<ReturnType<typeof listing>>;
  try {
    entries = await listing(directory);
  } catch (error) {
    return { code: codeOf(error) };
  }
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)))
    .filter((name) => isSource(name) && !isOthers(name))
    .sort();
  const hash = createHash("sha256");
  for (const name of names) {
    const text = await readFile(join(directory, name)).catch((error: unknown) => codeOf(error));
    hash.update(`${name}\0${text.length}\0`).update(text);
  }
  return { names, fingerprint: hash.digest("hex").slice(0, 16) };
}

const listing = (directory: string) => readdir(directory, { recursive: true, withFileTypes: true });

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown error";

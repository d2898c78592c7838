// Replaces a file's text atomically, in place, with the same mode, also through a symbolic link.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { Failed } from "../problem.ts";

/** Undefined: it does not exist. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw unusable(path, error);
  }
}

/** @param before what was read; @throws Failed if the file has changed since, or cannot be written */
export function replaceFile(path: string, before: string | undefined, after: string): void {
  if (readText(path) !== before)
    throw new Failed({
      ...{ title: "Changed meanwhile", code: "changed_meanwhile" },
      detail: `${path} was changed in the meantime. Run it again.`,
    });
  try {
    mkdirSync(dirname(path), { recursive: true });
    const place = before === undefined ? path : realpathSync(path);
    const mode = before === undefined ? 0o600 : statSync(place).mode & 0o7777;
    const part = `${place}.part-${randomBytes(4).toString("hex")}`;
    try {
      writeFileSync(part, after, { flag: "wx", mode, flush: true });
      renameSync(part, place);
    } finally {
      rmSync(part, { force: true });
    }
    const folder = openSync(dirname(place), "r");
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    throw unusable(path, error);
  }
}

const unusable = (path: string, cause: unknown): Failed =>
  new Failed(
    {
      ...{ title: "Not written", code: "not_written" },
      detail: `${path}: ${cause instanceof Error ? cause.message : cause}`,
    },
    { cause },
  );

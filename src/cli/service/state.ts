// Which parts of an installation exist: read, never changed.

import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { Failed } from "../problem.ts";
import { MARK, PROGRAM, type Step, UNIT_DIRECTORY, UNITS } from "./plan.ts";
import type { Program } from "./program.ts";

/** Runs a command and returns its stdout. @throws if it fails */
export type Run = (command: readonly string[]) => Promise<string>;

/** A file in the copy of the program that marks the directory as ours. */
export const SIGN = "INSTALLED";
export const SIGN_TEXT = `${MARK}\n`;
export const NEW = `${PROGRAM}.new`;
export const OLD = `${PROGRAM}.old`;

/** The path of a file is taken by something else. */
const notOurs = (path: string) =>
  new Failed({
    title: "Already there",
    detail: `${path} exists, and nexusctl did not write it. Move it away (sudo mv ${path} ${path}.old), then run this again.`,
    code: "not_ours",
  });

/** Whether nexusctl wrote the file. */
export const isOurs = (file: string): boolean => {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  return stat?.isFile() === true && readFileSync(file, "utf8").split("\n", 2).includes(MARK);
};

/** Whether a step is already done. @throws Failed `not_ours` */
export function isDone(step: Step, root: string, program: Program): boolean {
  switch (step.do) {
    case "write": {
      const file = join(root, step.path);
      const stat = lstatSync(file, { throwIfNoEntry: false });
      if (!stat) return false;
      if (!isOurs(file)) throw notOurs(step.path);
      return readFileSync(file, "utf8") === step.content && (stat.mode & 0o7777) === step.mode;
    }
    case "link": {
      // A user's own command of that name is left alone: the service does not need it.
      const stat = lstatSync(join(root, step.path), { throwIfNoEntry: false });
      return (
        stat !== undefined &&
        !(stat.isSymbolicLink() && isIntoProgram(root, step.path) && target(root, step.path) !== step.target)
      );
    }
    case "copy": {
      const directory = join(root, PROGRAM);
      if (existsSync(join(root, NEW)) || existsSync(join(root, OLD))) return false;
      if (!existsSync(directory)) return false;
      if (!existsSync(join(directory, SIGN))) throw notOurs(PROGRAM);
      return isCopy(program, directory);
    }
    default:
      return false;
  }
}

const target = (root: string, path: string) => readlinkSync(join(root, path));

/** Whether a command's link is ours. */
export const isIntoProgram = (root: string, path: string): boolean =>
  lstatSync(join(root, path), { throwIfNoEntry: false })?.isSymbolicLink() === true &&
  target(root, path).startsWith(`${PROGRAM}/`);

/** Byte for byte, with nothing else in it. */
function isCopy({ files }: Program, directory: string): boolean {
  const there = new Set(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((one) => !one.isDirectory())
      .map((one) => join(one.parentPath, one.name)),
  );
  return (
    there.size === files.length + 1 &&
    files.every(({ source, path, size, isExecutable }) => {
      const copy = join(directory, path);
      if (!there.has(copy)) return false;
      const stat = statSync(copy);
      return (
        stat.size === size &&
        (stat.mode & 0o777) === (isExecutable ? 0o755 : 0o644) &&
        (copy === source || readFileSync(copy).equals(readFileSync(source)))
      );
    })
  );
}

/** The ids of the service's user, if it exists. */
export async function userIds(root: string, run: Run): Promise<{ uid: number; gid: number } | undefined> {
  let entry: string | undefined;
  if (root === "/") entry = await run(["getent", "passwd", "nexusd"]).catch(() => undefined);
  else if (existsSync(join(root, "/etc/passwd")))
    entry = readFileSync(join(root, "/etc/passwd"), "utf8")
      .split("\n")
      .find((line) => line.startsWith("nexusd:"));
  const [, , uid, gid] = entry?.trim().split(":") ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}

/** The output of `systemctl show` for each unit. */
export async function unitFacts(run: Run): Promise<Map<string, string>[]> {
  const shown = await run([
    "systemctl",
    "show",
    "--timestamp=unix",
    "--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload,ExecMainStartTimestamp",
    ...UNITS,
  ]);
  return shown
    .trim()
    .split("\n\n")
    .map(
      (unit) =>
        new Map(
          unit
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
        ),
    );
}

/** When the service's files were last written, in seconds since 1970; 0: never. */
export function writtenAt(root: string): number {
  const files = [...UNITS.map((name) => join(root, UNIT_DIRECTORY, name)), join(root, PROGRAM, SIGN)];
  return Math.max(
    ...files.map((file) => Math.floor((statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) / 1000)),
  );
}

/** Links made by `systemctl enable`, for our units and their instances. */
export function enabledUnits(root: string): string[] {
  const directory = join(root, UNIT_DIRECTORY);
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory)
    .filter((name) => name.endsWith(".wants"))
    .flatMap((name) => readdirSync(join(directory, name)))
    .filter((name) => /^nexusd(?:-agent|-operator)?(?:@.*)?\.(?:service|socket)$/.test(name));
  return [...new Set(names)].sort();
}

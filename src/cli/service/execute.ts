// Carries out the steps of "nexusctl service". Each is atomic and idempotent.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Failed } from "../problem.ts";
import { CONFIG, described, PROGRAM, type Step } from "./plan.ts";
import type { Program } from "./program.ts";
import { isDone, NEW, OLD, type Run, SIGN, SIGN_TEXT, userIds } from "./state.ts";

// Starting nexusd may migrate a database.
const TIMEOUT_MS = 10 * 60_000;

export const run: Run = async ([program = "", ...args]) => {
  const { stdout } = await promisify(execFile)(program, args, { timeout: TIMEOUT_MS, encoding: "utf8" });
  return stdout;
};

export interface Execution {
  root: string;
  program: Program | undefined;
  run: Run;
  /** Called with each step before it is carried out. */
  onStep(step: Step): void;
}

/** @throws Failed `step_failed`; completed steps stay, and the same command continues from there */
export async function execute(steps: readonly Step[], execution: Execution): Promise<void> {
  for (const step of steps) {
    execution.onStep(step);
    try {
      await perform(step, execution);
    } catch (error) {
      throw new Failed(
        {
          title: "A step failed",
          detail: `Failed at: ${described(step).replace(/ +/, " ")}: ${reason(error)} Fix that and run the same command again: it continues from there.`,
          code: "step_failed",
        },
        { cause: error },
      );
    }
  }
}

function reason(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  const text = stderr || (error instanceof Error ? error.message : String(error));
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

async function perform(step: Step, { root, program, run }: Execution): Promise<void> {
  switch (step.do) {
    case "copy":
      if (program) copyProgram(step, root, program);
      return;
    case "write": {
      const owner = step.owner === "root" ? { uid: 0, gid: 0 } : await userIds(root, run);
      if (!owner) throw new Error(`there is no user ${step.owner}`);
      const path = join(root, step.path);
      appear(path, (part) => {
        writeFileSync(part, step.content, { flag: "wx", mode: 0o600 });
        chownSync(part, owner.uid, owner.gid);
        chmodSync(part, step.mode);
      });
      return;
    }
    case "link":
      return appear(join(root, step.path), (part) => symlinkSync(step.target, part));
    case "remove":
      rmSync(join(root, step.path), { recursive: true, force: true });
      if (step.path === CONFIG) removeIfEmpty(dirname(join(root, step.path)));
      return;
    case "run":
      await run(step.command);
      return;
  }
}

/** Creates something atomically: until then, what was there stays intact. */
function appear(path: string, make: (part: string) => void): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const part = join(dirname(path), `.nexusd-${randomBytes(4).toString("hex")}`);
  try {
    make(part);
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // It contains other files.
  }
}

function copyProgram(step: Step, root: string, program: Program): void {
  const [place, fresh, old] = [join(root, PROGRAM), join(root, NEW), join(root, OLD)];
  // The remains of an interrupted run.
  rmSync(fresh, { recursive: true, force: true });
  if (existsSync(place)) rmSync(old, { recursive: true, force: true });
  if (isDone(step, root, program)) return;
  for (const { source, path, isExecutable } of program.files) {
    const copy = join(fresh, path);
    mkdirSync(dirname(copy), { recursive: true, mode: 0o755 });
    copyFileSync(source, copy);
    chmodSync(copy, isExecutable ? 0o755 : 0o644);
  }
  writeFileSync(join(fresh, SIGN), SIGN_TEXT, { mode: 0o644 });
  sync(fresh);
  if (existsSync(place)) renameSync(place, old);
  renameSync(fresh, place);
  rmSync(old, { recursive: true, force: true });
}

function sync(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

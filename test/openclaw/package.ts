// The real OpenClaw, installed once into a folder outside the repository: it takes 650 MB.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const VERSION = "2026.9.6";

/** Where it is kept between runs; `NEXUSD_OPENCLAW_DIR` names another folder. */
const HOME = process.env.NEXUSD_OPENCLAW_DIR ?? join(tmpdir(), `nexusd-openclaw-${VERSION}`);

/** The path of its program, after an installation of some 30 s where there was none. */
export function openclawProgram(): string {
  const program = join(HOME, "node_modules/openclaw/openclaw.mjs");
  if (existsSync(program)) return program;
  // Beside it first, so that an installation that was cut short is never taken for a whole one.
  const unfinished = `${HOME}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    writeFileSync(join(unfinished, "package.json"), '{ "private": true }\n');
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    execFileSync("npm", ["install", ...flags, `openclaw@${VERSION}`], { cwd: unfinished, stdio: "inherit" });
    if (!existsSync(program)) renameSync(unfinished, HOME);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return program;
}

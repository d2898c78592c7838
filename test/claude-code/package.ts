// The real Claude Code, installed once into a folder outside the repository: it takes 400 MB.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const VERSION = "2.1.332";

/** Where it is kept between runs; `NEXUSD_CLAUDE_CODE_DIR` names another folder. */
const HOME = process.env.NEXUSD_CLAUDE_CODE_DIR ?? join(tmpdir(), `nexusd-claude-code-${VERSION}`);

/** The path of its program, after an installation where there was none. */
export function claudeProgram(): string {
  // The program of this platform itself: the script that puts it into `.bin` is not run.
  const program = join(
    ...[HOME, "node_modules/@anthropic-ai", `claude-code-${process.platform}-${process.arch}`, "claude"],
  );
  if (existsSync(program)) return program;
  // Beside it first, so that an installation that was cut short is never taken for a whole one.
  const unfinished = `${HOME}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    writeFileSync(join(unfinished, "package.json"), '{ "private": true }\n');
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    execFileSync("npm", ["install", ...flags, `@anthropic-ai/claude-code@${VERSION}`], {
      ...{ cwd: unfinished, stdio: "inherit" },
    });
    if (!existsSync(program)) renameSync(unfinished, HOME);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return program;
}

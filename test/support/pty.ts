// A real pseudo-terminal, created by util-linux's `script`, with nexusctl in it.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { COMPILE_CACHE } from "./compile-cache.ts";

const SCRIPT = "/usr/bin/script";
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

const LONGEST_MS = 40_000;

/** Why this machine cannot provide a terminal; undefined: it can. */
export const noTerminal = existsSync(SCRIPT)
  ? undefined
  : "skipped: needs script of util-linux for a terminal";

export interface Terminal {
  type(keys: string): void;
  /** Everything that was written to it. */
  text(): string;
  /**
   * Resolves once the text appears; rejects with the screen's content if it does not. @param from where to start
   * looking
   */
  until(words: string | RegExp, from?: number): Promise<void>;
  pid(): number;
  kill(signal: NodeJS.Signals): void;
  /** Everything that was on it, with `code N` at the end, and `restored` if the terminal's state was restored. */
  ended: Promise<string>;
}

/** nexusctl on a terminal of 80 by 24 by default. It is killed after the test. */
export function onTerminal(
  args: string[],
  options: { columns?: number; rows?: number; env?: Record<string, string>; node?: string[] } = {},
): Terminal {
  const { columns = 80, rows = 24, env = {}, node = [] } = options;
  const directory = mkdtempSync(join(tmpdir(), "nexusctl-pty-"));
  const pidFile = join(directory, "pid");
  const nexusctl = [process.execPath, ...node, MAIN, ...args].map((word) => `'${word}'`).join(" ");
  const line = [
    `stty rows ${rows} cols ${columns}; before=$(stty -g)`,
    `sh -c 'echo $$ > "${pidFile}"; exec "$@"' sh ${nexusctl}; echo "code $?"`,
    '[ "$before" = "$(stty -g)" ] && echo restored',
  ].join("; ");
  const child = spawn(SCRIPT, ["-qec", line, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...COMPILE_CACHE, PATH: process.env.PATH, TERM: "xterm-256color", LANG: "C.UTF-8", ...env },
  });
  const pid = () => Number(readFileSync(pidFile, "utf8"));
  onTestFinished(() => {
    if (child.exitCode === null) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const has = (words: string | RegExp, from: number) =>
    typeof words === "string" ? text.includes(words, from) : words.test(text.slice(from));
  return {
    type: (keys) => void child.stdin.write(keys),
    text: () => text,
    until: async (words, from = 0) => {
      const end = Date.now() + LONGEST_MS;
      while (!has(words, from)) {
        if (Date.now() > end) throw new Error(`${words} never came: ${text.slice(-6000)}`);
        if (child.exitCode !== null) throw new Error(`it ended: ${text}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    pid,
    kill: (signal) => process.kill(pid(), signal),
    ended: new Promise((resolve) => child.on("close", () => resolve(text))),
  };
}

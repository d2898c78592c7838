// A session of the real Claude Code at a terminal, on a model of the test and without any other network.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const API_KEY = "sk-ant-a-made-up-key-of-a-test";

export interface Session {
  /** What its terminal has shown so far. */
  screen(): string;
  /** Ends it, with what it has started. */
  end(): Promise<void>;
}

/** Answers in advance what Claude Code asks a new user: its theme, the key, whether it may work in `directory`. */
export function welcome(home: string, directory: string): void {
  mkdirSync(join(home, ".claude"), { recursive: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(home, ".claude.json"),
    JSON.stringify({
      ...{ hasCompletedOnboarding: true, theme: "dark" },
      customApiKeyResponses: { approved: [API_KEY.slice(-20)], rejected: [] },
      projects: { [directory]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
    }),
  );
}

export function startSession(options: {
  program: string;
  home: string;
  directory: string;
  modelUrl: string;
  env: Record<string, string>;
}): Session {
  const { program, home, directory, modelUrl } = options;
  const pidFile = join(home, "claude.pid");
  const command = `echo $$ >"${pidFile}"; stty rows 50 cols 200; exec "${program}"`;
  const child: ChildProcess = spawn("script", ["-qfc", command, "/dev/null"], {
    cwd: directory,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...{ HOME: home, TERM: "xterm-256color", LANG: "C.UTF-8", SHELL: "/bin/sh" },
      ...{ ANTHROPIC_BASE_URL: modelUrl, ANTHROPIC_API_KEY: API_KEY },
      ...{ CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1" },
      ...options.env,
    },
  });
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = once(child, "exit");
  return {
    screen: () => text,
    async end() {
      const pid = Number(readFileSync(pidFile, "utf8"));
      try {
        process.kill(pid, "SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await ended;
    },
  };
}

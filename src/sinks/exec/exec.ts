// The target of kind `exec`: what the command receives, and what its exit means in nexusd's own words.

import { noticeText } from "../../contract/notice.ts";
import type { Notice } from "../../contract/notice-shape.ts";
import { visible } from "../../core/text/visible.ts";
import type { Outcome, Refusal, Target, TargetContext } from "../kind.ts";
import { endAbandoned } from "./abandoned.ts";
import { type Ending, type Ran, runCommand } from "./command.ts";

interface ExecSettings {
  command: string[];
  /** In ms. */
  timeout: number;
  directory?: string | undefined;
  env: Record<string, string>;
  pass_env: string[];
}

/** What a program needs to find its way, and nothing that could be a secret. */
const PASSED_ALWAYS = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"];

type Environment = Readonly<Record<string, string | undefined>>;

/** @param environment that of the daemon */
export function createExec(
  {
    settings,
    clock,
    log,
    agentSocket,
  }: Pick<TargetContext<ExecSettings>, "settings" | "clock" | "log" | "agentSocket">,
  environment: Environment = process.env,
): Target {
  const { command, timeout, directory, env, pass_env } = settings;
  const passed = [...PASSED_ALWAYS, ...pass_env].flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const fixed = { ...Object.fromEntries(passed), ...env, NEXUSD_AGENT_SOCKET: agentSocket };

  return {
    async hand(notice, { signal, wakeId }) {
      const ran = await runCommand({
        ...{ command, directory, clock, signal, timeoutMs: timeout },
        env: { ...fixed, ...variables(notice), NEXUSD_WAKE: wakeId },
        input: `${JSON.stringify(notice)}\n`,
      });
      logEnding(ran);
      return outcomeOf(ran.ending);
    },
    async endAbandoned(wakeId) {
      const ended = await endAbandoned(`NEXUSD_WAKE=${wakeId}`, clock);
      if (ended > 0)
        log.warn({ processes: ended }, "ended what a command of an earlier nexusd had left running");
    },
  };

  function logEnding({ ending, stdout, stderr }: Ran): void {
    // Untrusted output: escaped, and only at the debug level.
    log.debug({ ...ending, stdout: visible(stdout), stderr: visible(stderr) }, "the command has ended");
  }
}

/** The notice for a script that reads no JSON. */
const variables = (notice: Notice): Record<string, string> => ({
  NEXUSD_NOTICE: noticeText(notice),
  NEXUSD_SINK: notice.sink ?? "",
  NEXUSD_CONSUMER: notice.consumer,
  NEXUSD_PENDING: String(notice.pending),
  NEXUSD_IS_MORE: notice.isMore ? "1" : "",
  NEXUSD_OLDEST: String(notice.oldest ?? ""),
  NEXUSD_NEWEST: String(notice.newest ?? ""),
  NEXUSD_TYPES: Object.keys(notice.types).join(","),
  NEXUSD_TEST: notice.test ? "1" : "",
});

function outcomeOf(ending: Ending): Outcome {
  switch (ending.kind) {
    case "exited":
      if (ending.status === 0) return { kind: "heard" };
      return refused(
        "exit_status",
        `the command ended with status ${ending.status}: log_level = "debug" shows why`,
      );
    case "killed":
      return refused("killed", `the command was ended by ${ending.signal}`);
    case "timeout":
      return refused(
        "timeout",
        "the command did not end within its timeout, and was ended: raise it, or do less",
      );
    case "aborted":
      return refused("stopped", "the command was ended with its sink");
    case "unstarted":
      return unstarted(ending.code);
    default:
      return ending satisfies never;
  }
}

const refused = (code: string, message: string): Refusal => ({ kind: "refused", code, message });

function unstarted(code: string): Refusal {
  if (code === "ENOENT" || code === "ENOTDIR")
    return refused(
      "command_missing",
      "the command, the program that it names in its first line, or its directory does not exist: put its path right",
    );
  if (code === "EACCES" || code === "EPERM")
    return refused("command_not_executable", "the command cannot be executed by nexusd's user: chmod +x");
  return refused("command_not_started", `the command could not be started (${code})`);
}

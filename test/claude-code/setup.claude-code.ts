// The set-up of docs/runtimes.md for Claude Code, as readers type it, in the real program.

import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { snippetOf } from "../support/snippet.ts";
import { type Agent, createAgent } from "./agent.ts";
import { type ScriptedModel, startModel } from "./model.ts";
import { claudeProgram } from "./package.ts";
import { type Session, startSession, welcome } from "./session.ts";

const BIN = new URL("../../bin", import.meta.url).pathname;
const shown = (name: string) => snippetOf("runtimes.md", `claude ${name}`);

let program: string;
let messaging: MessagingServer;
let messagingSession: string;
let installation: Installation;
let daemon: RunningDaemon;
let agent: Agent;
let model: ScriptedModel;
let home: string;
let session: Session;

beforeAll(async () => {
  // An installation blocks this process: the stand-ins would not answer meanwhile.
  program = claudeProgram();
  messaging = await startMessaging({ rateLimit: null });
  messagingSession = messaging.createSession({ ttl: 3600 });
  agent = createAgent();
  model = await startModel(agent.script);
  home = realpathSync(mkdtempSync(join(tmpdir(), "nexusd-claude-code-home-")));
  installation = install(`
[messaging]
base_url = "${messaging.url}"
agent_id = "me"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${messagingSession}"
[nex]\nenabled = false\n[nexus]\nenabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
  // The consumer starts after it: nothing is pending.
  await until(async () => (await readLog(installation.agentSocket)).length > 1, "the joined session");
});
afterAll(async () => {
  await session?.end();
  await daemon?.end("SIGKILL");
  await model?.close();
  await messaging?.close();
  installation?.remove();
  if (home) rmSync(home, { recursive: true, force: true });
});

/** A nexusctl that notes when a hook has started it, and how it has ended. */
function notedProgram(): string {
  const commands = join(home, "bin");
  mkdirSync(commands);
  const script = `#!/bin/sh
[ "$1" = wait ] || exec "${BIN}/nexusctl" "$@"
echo started >>"${home}/waits"
"${BIN}/nexusctl" "$@"
status=$?
echo "ended with $status" >>"${home}/waits"
exit "$status"
`;
  writeFileSync(join(commands, "nexusctl"), script, { mode: 0o755 });
  return commands;
}

const waits = (): string[] =>
  existsSync(join(home, "waits")) ? readFileSync(join(home, "waits"), "utf8").trim().split("\n") : [];
const pending = async (): Promise<number> =>
  JSON.parse((await ask(installation.agentSocket, "/v1/consumers/claude-code")).text).pending.count;

test("the hooks from the page wake an idle session for each event, and never without one", async () => {
  const directory = join(home, "project");
  welcome(home, directory);
  const env = {
    PATH: `${notedProgram()}:${process.env.PATH}`,
    ...{ HOME: home, NEXUSD_AGENT_SOCKET: installation.agentSocket },
  };
  const script = shown("install").replace("--claude-code", "--claude-code --yes");
  execFileSync("sh", ["-euc", script], { env, stdio: "pipe" });
  writeFileSync(join(home, ".claude/settings.json"), shown("hooks"));
  session = startSession({ program, home, directory, modelUrl: model.url, env });

  const sequences: number[] = [];
  for (const [turn, text] of ["one", "two"].entries()) {
    // The hook of the session's start, then that of the end of a turn.
    const started = turn * 2 + 1;
    const what = () => `${waits().join("\n")}\n${agent.history.join("\n")}\n${session.screen()}`;
    await until(() => waits().length === started, what, 60_000);
    messaging.post(messagingSession, "peer", { text });
    await until(() => agent.history.length === (turn + 1) * 4, what, 60_000);
    expect(await pending()).toBe(0);
    sequences.push(Number((await readLog(installation.agentSocket)).at(-1)?.sequence));
  }
  await until(() => waits().length === 5, "a waiter after the last turn");
  expect(agent.history).toEqual(
    sequences.flatMap((sequence) => [
      `woken nexusd: 1 event for the consumer "claude-code" (${sequence}): 1 messaging.message.received`,
      `read ${sequence}`,
      "acknowledged",
      "read",
    ]),
  );
  expect(waits()).toEqual(["started", "ended with 2", "started", "ended with 2", "started"]);
});

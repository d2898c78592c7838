// The set-up of docs/runtimes.md, as readers type it, on a running gateway.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { snippetOf } from "../support/snippet.ts";
import { type Agent, createAgent } from "./agent.ts";
import { type Gateway, installGateway } from "./gateway.ts";
import { type ScriptedModel, startModel, textOf, turnOf } from "./model.ts";

const BIN = new URL("../../bin", import.meta.url).pathname;
const shown = (name: string) => snippetOf("runtimes.md", `openclaw ${name}`);

let messaging: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;
let agent: Agent;
let model: ScriptedModel;
let gateway: Gateway;

const base = (session: string) => `
[messaging]
base_url = "${messaging.url}"
agent_id = "me"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${session}"
alias = "shop"
[nex]\nenabled = false\n[nexus]\nenabled = false
`;

beforeAll(async () => {
  messaging = await startMessaging({ rateLimit: null });
  agent = createAgent();
  model = await startModel(agent.script);
  gateway = await installGateway({ modelUrl: model.url, isNew: true });
  installation = install("");
  await gateway.start();
});
afterAll(async () => {
  await gateway?.remove();
  await daemon?.end("SIGKILL");
  await model?.close();
  await messaging?.close();
  installation?.remove();
});

test("the configuration from the page wakes an agent, which reads and acknowledges", async () => {
  const session = messaging.createSession({ ttl: 3600 });
  installation.configure(base(session));
  daemon = startDaemon(installation);
  await daemon.ready;
  const commands = join(gateway.home, "bin");
  mkdirSync(commands);
  writeFileSync(
    join(commands, "openclaw"),
    `#!/bin/sh\nexec "${process.execPath}" "${gateway.program}" "$@"\n`,
    { mode: 0o755 },
  );
  const run = (script: string) =>
    execFileSync("sh", ["-euc", script], {
      encoding: "utf8",
      env: {
        ...{ ...gateway.env, PATH: `${commands}:${BIN}:${process.env.PATH}` },
        ...{
          NEXUSD_AGENT_SOCKET: installation.agentSocket,
          NEXUSD_OPERATOR_SOCKET: installation.operatorSocket,
        },
      },
    });

  const startedAt = Date.now();
  run(shown("gateway"));
  installation.configure(
    base(session) +
      shown("toml").replace("/home/me", gateway.home).replace("http://127.0.0.1:18789", gateway.origin),
  );
  run(shown("try"));
  await until(
    () => model.prompts.some((prompt) => turnOf(prompt).asked.includes("This is a test.")),
    () => gateway.log(),
  );
  messaging.post(session, "peer", { text: "hello" });
  await until(
    () => agent.history.some(({ kind }) => kind === "acked"),
    () => daemon.log() + gateway.log(),
    120_000,
  );
  expect(Date.now() - startedAt).toBeLessThan(300_000);
  const [system] = model.prompts.at(-1)?.messages ?? [];
  expect(textOf(system)).toContain("skills/nexusd/SKILL.md");
  expect(agent.history.flatMap((entry) => (entry.kind === "read" ? entry.texts : []))).toEqual(["hello"]);
  const { text } = await ask(installation.agentSocket, "/v1/consumers/openclaw");
  expect(JSON.parse(text).pending.count).toBe(0);
});

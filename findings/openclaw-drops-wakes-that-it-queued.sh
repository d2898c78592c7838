#!/usr/bin/env bash
# Of 60 wakes that the gateway has answered with "queued", the model is shown 20.
# openclaw 2026.9.6
#
# A good guess: `POST /hooks/wake` with mode "now" answers 200 and `eventOutcome: "queued"` where the wake has a place in
# the queue of the agent. The model may see it late, or together with others, but it sees it.
# What happens: the queue keeps the newest 20, whatever was answered. Of 60 different wakes within a second the oldest 40
# are gone by the time of the agent's turn, without a word in the log. A sender that counts a 200 as delivered has lost
# two thirds of its events.
#
# It installs 650 MB and takes two minutes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0
npm install --silent --no-audit --no-fund --ignore-scripts openclaw@2026.9.6
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

// A model that has nothing to say, behind the API of chat completions, and remembers what it was shown.
let shown = "";
const model = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  shown += body;
  const choice = (delta, finish_reason = null) =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(`${choice({ role: "assistant", content: "NO_REPLY" })}${choice({}, "stop")}data: [DONE]\n\n`);
});
const listening = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
const modelPort = await listening(model);
const spare = createServer();
const port = await listening(spare);
await new Promise((resolve) => spare.close(resolve));

const home = `${process.cwd()}/home`;
mkdirSync(`${home}/workspace`, { recursive: true });
const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
const scripted = { id: "m", name: "m", reasoning: false, input: ["text"], contextWindow: 200000, maxTokens: 8192, cost };
writeFileSync(`${home}/openclaw.json`, JSON.stringify({
  gateway: { mode: "local", port, bind: "loopback", auth: { mode: "token", token: "a-made-up-gateway-token" } },
  hooks: { enabled: true, token: "a-made-up-hook-token" },
  agents: { defaults: { workspace: `${home}/workspace`, skipBootstrap: true, heartbeat: { every: "0m" }, model: { primary: "s/m" } } },
  models: { mode: "replace", providers: { s: { baseUrl: `http://127.0.0.1:${modelPort}/v1`, apiKey: "none", api: "openai-completions", models: [scripted] } } },
  logging: { file: `${home}/gateway.log` },
}));
const env = { ...process.env, HOME: home, OPENCLAW_STATE_DIR: home, OPENCLAW_CONFIG_PATH: `${home}/openclaw.json`, OPENCLAW_SKIP_CHANNELS: "1", OPENCLAW_SKIP_CRON: "1" };
const gateway = spawn(process.execPath, ["node_modules/openclaw/openclaw.mjs", "gateway", "run"], { env, stdio: "ignore", detached: true });
const url = `http://127.0.0.1:${port}`;
while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) await sleep(500);

const name = (n) => `wake number ${String(n).padStart(2, "0")}.`;
const answers = {};
for (let n = 1; n <= 60; n++) {
  const headers = { authorization: "Bearer a-made-up-hook-token", "content-type": "application/json" };
  const answer = await fetch(`${url}/hooks/wake`, { method: "POST", headers, body: JSON.stringify({ text: name(n), mode: "now", agentId: "main" }) });
  const { eventOutcome } = await answer.json();
  answers[`${answer.status} ${eventOutcome}`] = (answers[`${answer.status} ${eventOutcome}`] ?? 0) + 1;
}
// Long enough for the turns that the gateway puts off by half a minute.
while (!shown.includes(name(60))) await sleep(500);
await sleep(45_000);
const seen = Array.from({ length: 60 }, (_, index) => index + 1).filter((n) => shown.includes(name(n)));
console.log("answered:", answers);
console.log("shown to the model:", seen.length, "of 60, from", seen[0], "to", seen.at(-1));
process.kill(-gateway.pid, "SIGKILL");
process.exit();
END

cat >expected <<'END'
answered: { '200 queued': 60 }
shown to the model: 20 of 60, from 41 to 60
END

node case.mjs | tee seen
diff expected seen
echo "as described"

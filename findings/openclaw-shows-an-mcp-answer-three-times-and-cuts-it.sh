#!/usr/bin/env bash
# OpenClaw shows its model an answer of an MCP tool three times, and cuts what is then too long: one of 13 kB loses its end.
# openclaw 2026.9.6, @modelcontextprotocol/server 2.4.0
#
# A good guess: a tool that gives structured content, and the same JSON as a text for older clients, as the protocol
# recommends, is shown to the model once. An answer of some kilobytes is shown whole, or its end is missing.
# What happens: by `tool_call`, the way to all tools of an MCP server by default, the model is given the structured content
# as an indented text, then the text, then the structured content once more as "details", all of it inside a string of
# JSON; and the whole is cut at 20,000 characters. An answer of 9 kB is cut in its second copy, one of 13 kB already in its
# first, in which the keys are sorted: what tells how to go on may be gone while the list before it looks complete.
#
# It installs 650 MB and takes two minutes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0 @modelcontextprotocol/server@2.4.0 zod@4.6.7
npm install --silent --no-audit --no-fund --ignore-scripts openclaw@2026.9.6
export PATH="$dir/node_modules/.bin:$PATH"

cat >server.mjs <<'END'
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

await serveStdio(() => {
  const server = new McpServer({ name: "shop", version: "1.0.0" });
  const description = "Lists so many items";
  server.registerTool("list", { description, inputSchema: z.object({ count: z.number() }) }, async ({ count }) => {
    const items = Array.from({ length: count }, (_, index) => ({ number: index + 1, name: `item ${index + 1} of ${count}` }));
    const answer = { items, next: "this is how to go on" };
    return { structuredContent: answer, content: [{ type: "text", text: JSON.stringify(answer) }] };
  });
  return server;
});
END

cat >case.mjs <<'END'
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const COUNTS = [20, 230, 330];
// A model that calls the tool once for each count, behind the API of chat completions, and keeps what it is shown.
const shown = [];
let asked = 0;
const model = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  const { messages = [] } = JSON.parse(body || "{}");
  const answers = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
  while (shown.length < answers.length) shown.push(answers[shown.length]);
  const count = COUNTS[answers.length];
  const call = { id: "shop__list", args: { count } };
  const toolCall = { index: 0, id: `call-${++asked}`, type: "function", function: { name: "tool_call", arguments: JSON.stringify(call) } };
  const delta = count === undefined ? { role: "assistant", content: "Done." } : { role: "assistant", tool_calls: [toolCall] };
  const choice = (part, finish_reason = null) =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: part, finish_reason }] })}\n\n`;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(`${choice(delta)}${choice({}, count === undefined ? "stop" : "tool_calls")}data: [DONE]\n\n`);
});
const listening = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
const modelPort = await listening(model);
const spare = createServer();
const port = await listening(spare);
await new Promise((resolve) => spare.close(resolve));

const home = `${process.cwd()}/home`;
mkdirSync(`${home}/workspace`, { recursive: true });
const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
const scripted = { id: "m", name: "m", reasoning: false, input: ["text"], contextWindow: 1000000, maxTokens: 8192, cost };
writeFileSync(`${home}/openclaw.json`, JSON.stringify({
  gateway: { mode: "local", port, bind: "loopback", auth: { mode: "token", token: "a-made-up-gateway-token" } },
  hooks: { enabled: true, token: "a-made-up-hook-token" },
  mcp: { servers: { shop: { command: process.execPath, args: [`${process.cwd()}/server.mjs`] } } },
  agents: { defaults: { workspace: `${home}/workspace`, skipBootstrap: true, heartbeat: { every: "0m" }, model: { primary: "s/m" } } },
  models: { mode: "replace", providers: { s: { baseUrl: `http://127.0.0.1:${modelPort}/v1`, apiKey: "none", api: "openai-completions", models: [scripted] } } },
  logging: { file: `${home}/gateway.log` },
}));
const env = { ...process.env, HOME: home, OPENCLAW_STATE_DIR: home, OPENCLAW_CONFIG_PATH: `${home}/openclaw.json`, OPENCLAW_SKIP_CHANNELS: "1", OPENCLAW_SKIP_CRON: "1" };
const gateway = spawn(process.execPath, ["node_modules/openclaw/openclaw.mjs", "gateway", "run"], { env, stdio: "ignore", detached: true });
const url = `http://127.0.0.1:${port}`;
while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) await sleep(500);
const headers = { authorization: "Bearer a-made-up-hook-token", "content-type": "application/json" };
await fetch(`${url}/hooks/wake`, { method: "POST", headers, body: JSON.stringify({ text: "list the items", mode: "now", agentId: "main" }) });
while (shown.length < COUNTS.length) await sleep(500);

const times = (text, part) => text.split(part).length - 1;
COUNTS.forEach((count, index) => {
  const text = shown[index];
  const isCut = text.includes("[truncated]") ? "cut" : "whole";
  console.log(`${count} items: ${isCut}; first item ${times(text, `item 1 of ${count}`)} times, last ${times(text, `item ${count} of ${count}`)} times, how to go on ${times(text, "this is how to go on")} times`);
});
process.kill(-gateway.pid, "SIGKILL");
process.exit();
END

cat >expected <<'END'
20 items: whole; first item 3 times, last 3 times, how to go on 3 times
230 items: cut; first item 2 times, last 1 times, how to go on 1 times
330 items: cut; first item 1 times, last 0 times, how to go on 0 times
END

node case.mjs | tee seen
diff expected seen
echo "as described"

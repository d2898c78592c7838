// How the server ends: with stdin, on signals, and with the process that started it, whatever happened to that.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startTestControl } from "../support/control.ts";
import { until } from "../support/daemon.ts";
import { NEXUSCTL } from "./scene.ts";

/** MCP_CLIENTS=200 for a machine that has time. */
const CLIENTS = Number(process.env.MCP_CLIENTS ?? 60);

let socket: string;
const cleaning: (() => Promise<void>)[] = [];
beforeAll(async () => {
  const control = await startTestControl({ cleanup: (work) => cleaning.push(work) });
  socket = control.sockets.agent;
});
afterAll(async () => {
  for (const clean of cleaning.reverse()) await clean();
});

const INITIALIZE = JSON.stringify({
  ...{ jsonrpc: "2.0", id: 1, method: "initialize" },
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
});
const args = () => [NEXUSCTL, "--socket", socket, "mcp", "--consumer", "me"];
const isRunning = (pid: number) => existsSync(`/proc/${pid}/stat`);

async function start(): Promise<{ child: ChildProcess; ended: Promise<number | null> }> {
  const child = spawn(process.execPath, args(), { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  child.stdin.write(`${INITIALIZE}\n`);
  for await (const line of createInterface(child.stdout)) {
    expect(JSON.parse(line)).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
    break;
  }
  return { child, ended };
}

test("ends with stdin, even while a call waits", async () => {
  const { child, ended } = await start();
  const wait = { name: "events_wait", arguments: { timeoutSeconds: 45 } };
  child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params: wait })}\n`);
  child.stdin?.end();
  expect(await ended).toBe(0);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("ends on %s", async (signal) => {
  const { child, ended } = await start();
  child.kill(signal);
  expect(await ended).toBe(0);
});

test("ends when the reader of its answers is gone", async () => {
  const { child, ended } = await start();
  child.stdout?.destroy();
  child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/list" })}\n`);
  await ended;
});

// Starts the server under its own name and reports its process id; stdin is its own, or one that others also hold open.
const CLIENT = (stdin: string) => `
  const { spawn } = require("node:child_process");
  const child = spawn(process.execPath, ${JSON.stringify(args())}, { stdio: [${JSON.stringify(stdin)}, "pipe", "ignore"] });
  child.stdin?.write(${JSON.stringify(`${INITIALIZE}\n`)});
  process.stdout.write(child.pid + "\\n");
  child.stdout.once("data", () => process.stdout.write("ready\\n"));
`;

async function startClient(stdin: "pipe" | "inherit") {
  const client = spawn(process.execPath, ["-e", CLIENT(stdin)], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void client.kill("SIGKILL"));
  const lines = createInterface(client.stdout)[Symbol.asyncIterator]();
  const server = Number((await lines.next()).value);
  onTestFinished(() => {
    if (isRunning(server)) process.kill(server, "SIGKILL");
  });
  return { client, server, ready: async () => void (await lines.next()) };
}

test("ends with the process that started it, even if another still holds its stdin", async () => {
  const { client, server, ready } = await startClient("inherit");
  client.stdin.write(`${INITIALIZE}\n`);
  await ready();
  client.kill("SIGKILL");
  await until(() => !isRunning(server), "the server to end");
});

test(`${CLIENTS} clients killed at random moments leave no process behind`, async () => {
  const servers: number[] = [];
  // As many at once as the machine can take.
  for (let begun = 0; begun < CLIENTS; begun += 10)
    await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const { client, server, ready } = await startClient("pipe");
        servers.push(server);
        // A third have spoken, the others are killed while their server starts.
        if (at % 3 === 0) await ready();
        else await new Promise((resolve) => setTimeout(resolve, ((begun + at) * 37) % 400));
        client.kill("SIGKILL");
      }),
    );
  expect(new Set(servers).size).toBe(CLIENTS);
  await until(() => !servers.some(isRunning), "all servers to end");
}, 300_000);

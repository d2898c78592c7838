// The real gateway as a process of its own, with hooks and no channels, on a model of the test.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/daemon.ts";
import { openclawProgram } from "./package.ts";

export const HOOK_TOKEN = "a-made-up-hook-token-of-a-test";
/** How long a gateway may take to start: on a machine with other work it takes more than a minute. */
export const START_MS = 120_000;

export interface McpServer {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

export interface Gateway {
  /** Of the hooks: scheme, host and port. */
  origin: string;
  /** Its home directory, with everything it keeps. */
  home: string;
  /** For the command line of OpenClaw to find its configuration, which is that of `program`. */
  env: Record<string, string>;
  program: string;
  log(): string;
  /** Resolves when its hooks answer. */
  start(): Promise<void>;
  /** As when it crashes; its children see their pipes close. */
  kill(): Promise<void>;
  /** Ends it for good, with what it has left running. */
  remove(): Promise<void>;
}

/** A gateway that is not started yet. */
export async function installGateway(options: {
  modelUrl: string;
  mcp?: Record<string, McpServer>;
  /** Its state before any contact with nexusd; default: with its hooks on. */
  isNew?: boolean;
}): Promise<Gateway> {
  const home = mkdtempSync(join(tmpdir(), "nexusd-gateway-"));
  const port = await freePort();
  const configPath = join(home, "openclaw.json");
  mkdirSync(join(home, "workspace"));
  writeFileSync(configPath, JSON.stringify(configOf(port, join(home, "workspace"), options), null, 2));

  const program = openclawProgram();
  const origin = `http://127.0.0.1:${port}`;
  const groups: number[] = [];
  let child: ChildProcess | undefined;
  let text = "";

  const env = {
    ...{ PATH: process.env.PATH ?? "", LANG: "C.UTF-8", HOME: home, NO_COLOR: "1" },
    ...{ OPENCLAW_STATE_DIR: home, OPENCLAW_CONFIG_PATH: configPath },
    ...{ OPENCLAW_SKIP_CHANNELS: "1", OPENCLAW_SKIP_CRON: "1" },
  };
  const kill = async () => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, "exit");
    running.kill("SIGKILL");
    await ended;
  };
  return {
    ...{ origin, home, env, program },
    log: () => text,
    async start() {
      // A group of its own, so that what it leaves behind can be ended by name of the group alone.
      const started = spawn(process.execPath, [program, "gateway", "run"], {
        ...{ env, cwd: home, detached: true },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      if (started.pid !== undefined) groups.push(started.pid);
      const collect = (chunk: Buffer) => {
        text += chunk.toString();
      };
      started.stdout?.on("data", collect);
      started.stderr?.on("data", collect);
      await until(
        async () => {
          if (started.exitCode !== null) throw new Error(`the gateway ended:\n${text}`);
          return started !== child || (await isReady(origin));
        },
        () => `a gateway that is ready:\n${text}`,
        START_MS,
      );
    },
    kill,
    async remove() {
      await kill();
      for (const group of groups) endGroup(group);
      await until(() => removed(home), "an empty home of the gateway");
    },
  };
}

const configOf = (
  port: number,
  workspace: string,
  { modelUrl, mcp, isNew = false }: Parameters<typeof installGateway>[0],
) => ({
  gateway: {
    ...{ mode: "local", port, bind: "loopback" },
    auth: { mode: "token", token: "a-made-up-gateway-token-of-a-test" },
  },
  ...(!isNew && { hooks: { enabled: true, token: HOOK_TOKEN } }),
  agents: {
    defaults: {
      ...{ workspace, skipBootstrap: true, heartbeat: { every: "0m" } },
      model: { primary: "scripted/scripted" },
    },
  },
  models: {
    mode: "replace",
    providers: {
      scripted: {
        ...{ baseUrl: modelUrl, apiKey: "none", api: "openai-completions" },
        models: [
          {
            ...{ id: "scripted", name: "Scripted", reasoning: false, input: ["text"] },
            ...{ contextWindow: 1_000_000, maxTokens: 8192 },
            cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
          },
        ],
      },
    },
  },
  ...(mcp && { mcp: { servers: mcp } }),
  logging: { file: join(workspace, "..", "gateway.log") },
});

const isReady = async (origin: string): Promise<boolean> =>
  (await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined))?.ok ??
  false;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

/** A process killed a moment ago may still write. */
function removed(directory: string): boolean {
  try {
    rmSync(directory, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

// The real daemon on stand-ins of two services, and the official client with nexusctl mcp as its server.

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { onTestFinished } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { type NexServer, startNex } from "../../sandbox/nex.ts";
import { createClient, type Client as Nexusd } from "../../src/client/index.ts";
import { type Installation, install, type RunningDaemon, startDaemon } from "../support/daemon.ts";

export const NEXUSCTL = new URL("../../src/cli/main.ts", import.meta.url).pathname;

export interface Scene {
  messaging: MessagingServer;
  nex: NexServer;
  sessionId: string;
  installation: Installation;
  nexusd: Nexusd;
  daemon: RunningDaemon;
  /** Kills the daemon and starts it again, or only kills it. */
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function openScene(): Promise<Scene> {
  const messaging = await startMessaging({ rateLimit: null });
  const nex = await startNex({ apiKey: SANDBOX_ENV.NEX_API_KEY });
  const sessionId = messaging.createSession({ greeting: "hello" });
  const installation = install(`
[messaging]
base_url = "${messaging.url}"
agent_id = "me"
requests_per_minute = 6000
max_staleness = "1s"
[[messaging.sessions]]
id = "${sessionId}"
alias = "ops"
[nex]
base_url = "${nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
enabled = false
`);
  const scene: Scene = {
    ...{ messaging, nex, sessionId, installation },
    nexusd: createClient(installation),
    daemon: startDaemon(installation, SANDBOX_ENV),
    kill: async () => {
      await scene.daemon.end("SIGKILL");
    },
    start: async () => {
      scene.daemon = startDaemon(installation, SANDBOX_ENV);
      await scene.daemon.ready;
    },
    close: async () => {
      scene.nexusd.close();
      await scene.daemon.end("SIGKILL");
      await Promise.all([messaging.close(), nex.close()]);
      installation.remove();
    },
  };
  await scene.daemon.ready;
  return scene;
}

export const ERAS = ["2025-11-25", "2026-07-28"] as const;
export type Era = (typeof ERAS)[number];

/** A tool's answer as a model gets it. */
export interface Answer {
  isError: boolean;
  // What a test expects of the answer it says itself.
  // biome-ignore lint/suspicious/noExplicitAny: read by assertions only
  value: any;
}

/** Closed after the test. */
export async function connect(installation: Pick<Installation, "agentSocket">, era: Era, ...args: string[]) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [NEXUSCTL, "--socket", installation.agentSocket, "mcp", ...args],
    stderr: "pipe",
  });
  const modern = era === "2026-07-28";
  const client = new Client(
    { name: "test", version: "1" },
    modern ? { versionNegotiation: { mode: { pin: era } } } : {},
  );
  await client.connect(transport);
  onTestFinished(() => client.close());
  return {
    client,
    transport,
    call: async (name: string, input: Record<string, unknown> = {}): Promise<Answer> => {
      const {
        isError = false,
        structuredContent,
        content,
      } = await client.callTool({
        ...{ name, arguments: input },
      });
      const [first] = content;
      const text = first?.type === "text" ? first.text : "";
      return { isError, value: structuredContent ?? JSON.parse(text) };
    },
  };
}

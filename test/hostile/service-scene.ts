// A real daemon within its unit's memory, and services of which Nex and Nexus are scripted.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { ask, install, readLog, type SeenEvent, until } from "../support/daemon.ts";
import { makeControlGroup } from "./control-group.ts";

const MAIN = new URL("../../src/daemon/main.ts", import.meta.url).pathname;

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

interface SeenStatus {
  log: { latest: number };
  services: Record<
    "messaging" | "nex" | "nexus",
    { state: string; lastError: { code: string; message: string } | null }
  >;
}

export interface ServiceScene {
  messaging: MessagingServer;
  sessionId: string;
  /** The answer of Nex and Nexus to everything except the token exchange and the insight stream. */
  answer: Answer;
  /** Sends it on the insight stream. */
  insight(insight: Record<string, unknown>): void;
  /** A read of an agent. */
  read(operation: string, input?: unknown): Promise<{ status: number; text: string }>;
  status(): Promise<SeenStatus>;
  log(): Promise<SeenEvent[]>;
  /** How the daemon ended, with its last words; undefined: it lives. */
  ended(): string | undefined;
  /** The peak resident memory so far, in MiB. */
  peakMiB(): number;
  /** Whether the kernel enforces its memory limit; otherwise only the heap is limited. */
  isEnforced: boolean;
  close(): Promise<void>;
}

/** Resolves once the daemon has joined the session, opened the insight stream and requested the orders. */
export async function startServiceScene(): Promise<ServiceScene> {
  const streams = new Set<ServerResponse>();
  let hasAsked = false;
  const server = createServer((request, response) => {
    const { url = "" } = request;
    if (url === "/functions/v1/agent-auth")
      return json({ access_token: "t".repeat(40), organization_id: "org", expires_in: 3600 })(
        response,
        request,
      );
    if (url.endsWith("/insights/stream")) {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
      streams.add(response);
      return response.once("close", () => streams.delete(response));
    }
    hasAsked ||= url.startsWith("/rest/");
    scene.answer(response, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // of a server that listens on TCP
  const messaging = await startMessaging({ rateLimit: null });
  const sessionId = messaging.createSession({ ttl: 3600 });
  const installation = install(`
[messaging]
base_url = "${messaging.url}"
requests_per_minute = 600
[[messaging.sessions]]
id = "${sessionId}"
[nex]
base_url = "http://127.0.0.1:${port}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
base_url = "http://127.0.0.1:${port}"
requests_per_minute = 6000
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
mcp = false
[jobs.nex-notifications]
enabled = false
[jobs.nexus-pending-orders]
schedule = "* * * * * *"
[jobs.nexus-low-stock]
enabled = false
`);
  const group = makeControlGroup();
  // As bin/nexusd does.
  const flags = ["--max-semi-space-size=2"];
  const { command, args, env } = group.wrap([
    ...[process.execPath, ...flags, MAIN, "--config", installation.configPath],
  ]);
  const child = spawn(command, args, {
    env: { ...process.env, ...SANDBOX_ENV, MALLOC_ARENA_MAX: "1", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-3000);
  });
  let ended: string | undefined;
  const over = once(child, "exit").then(([code, signal]) => {
    ended = `${signal ?? code}, ${group.kills()} ended by the kernel: ${said}`;
  });

  const scene: ServiceScene = {
    ...{ messaging, sessionId, isEnforced: group.isEnforced, answer: json([]) },
    insight(insight) {
      const data = JSON.stringify({ workspace: { slug: "w" }, insights: [insight] });
      for (const stream of streams) stream.write(`event: insight.batch.created\ndata: ${data}\n\n`);
    },
    read: (operation, input = {}) =>
      ask(installation.agentSocket, "/v1/reads", { method: "POST", body: { operation, input } }),
    status: async () => JSON.parse((await ask(installation.operatorSocket, "/v1/status")).text),
    log: () => readLog(installation.agentSocket),
    ended: () => ended,
    peakMiB: () =>
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024,
    async close() {
      child.kill("SIGKILL");
      await over;
      group.remove();
      server.closeAllConnections();
      server.close();
      await messaging.close();
      installation.remove();
    },
  };
  try {
    await until(() => {
      if (ended !== undefined) throw new Error(ended);
      return streams.size > 0 && hasAsked && isJoined(messaging);
    }, "the daemon to have begun with all services");
  } catch (error) {
    await scene.close();
    throw error;
  }
  return scene;
}

const isJoined = ({ requests }: MessagingServer) => requests.some(({ path }) => path.includes("/messages"));

// Answers.

export const json =
  (value: unknown): Answer =>
  (response) =>
    text(JSON.stringify(value))(response);

export const text = (body: string | Buffer) => (response: ServerResponse) =>
  void response.writeHead(200, { "content-type": "application/json" }).end(body);

/** Each byte in its own chunk (RFC 9112, 7.1). */
export const byteByByte =
  (body: string): Answer =>
  (_response, { socket }) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    const chunk = Buffer.from("1\r\n \r\n");
    const chunks = Buffer.alloc(body.length * chunk.length, chunk);
    for (let at = 0; at < body.length; at++) chunks[at * chunk.length + 3] = body.charCodeAt(at);
    socket.write(head);
    socket.write(chunks);
    socket.write("0\r\n\r\n");
  };

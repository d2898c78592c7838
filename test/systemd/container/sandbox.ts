// The stand-ins of the three services on this machine, whose network the container shares.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { z } from "zod";

const MAIN = new URL("../../../sandbox/main.ts", import.meta.url).pathname;
const started = z.object({
  messaging: z.string(),
  nex: z.string(),
  nexus: z.string(),
  env: z.record(z.string(), z.string()),
});

export interface Sandbox extends z.infer<typeof started> {
  process: ChildProcess;
  /** A session with another agent in it; its id. */
  createSession(): Promise<string>;
  /** Writes as the other agent. */
  say(session: string, text: string): Promise<void>;
}

export async function startSandbox(): Promise<Sandbox> {
  const ports = ["--messaging-port", "0", "--nex-port", "0", "--nexus-port", "0"];
  const child = spawn(process.execPath, [MAIN, "--quiet-life", ...ports], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(child.stdout), "line");
  const sandbox = started.parse(JSON.parse(line));
  let key = "";
  const send = async (method: "PUT" | "POST", path: string, body: unknown) => {
    const response = await fetch(`${sandbox.messaging}/v1/sessions${path}`, {
      method,
      headers: { "content-type": "application/json", "x-agent-id": "peer", "x-session-key": key },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} was answered ${response.status}: ${await response.text()}`);
    return z.record(z.string(), z.unknown()).parse(await response.json());
  };
  return {
    ...sandbox,
    process: child,
    async createSession() {
      const { sessionId } = await send("PUT", "", { ttl: 3600 });
      key = String((await send("POST", `/${sessionId}/join`, {})).sessionKey);
      return String(sessionId);
    },
    async say(session, text) {
      await send("POST", `/${session}/messages`, { text });
    },
  };
}

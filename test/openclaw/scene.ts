// The whole way of a message: a peer agent, the server, nexusd, a wake, the real gateway, a model that calls our tools.

import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
} from "../support/daemon.ts";
import { type Agent, createAgent } from "./agent.ts";
import { type Gateway, HOOK_TOKEN, installGateway } from "./gateway.ts";
import { type Prompt, type Reply, type ScriptedModel, startModel } from "./model.ts";
import { startWire, type Wire } from "./wire.ts";

const CLI = new URL("../../src/cli/main.ts", import.meta.url).pathname;
export const CONSUMER = "claw";

export interface Scene {
  messaging: MessagingServer;
  sessionId: string;
  agent: Agent;
  model: ScriptedModel;
  gateway: Gateway;
  wire: Wire;
  installation: Installation;
  /** The peer says each of them. */
  say(...texts: string[]): void;
  /** As if the model were away: it answers with this status until this is undefined. */
  refuse(status: number | undefined): void;
  startNexusd(): Promise<void>;
  killNexusd(): Promise<void>;
  nexusdLog(): string;
  /** Sequences of the messages in the log, in order. */
  logged(): Promise<number[]>;
  /** How many events the agent has not acknowledged. */
  pending(): Promise<number>;
  close(): Promise<void>;
}

/** @param sink more lines of the table of the sink */
export async function openScene(sink = ""): Promise<Scene> {
  const messaging = await startMessaging({ rateLimit: null });
  const sessionId = messaging.createSession({ ttl: 86_400 });
  const agent = createAgent();
  let refusal: number | undefined;
  const model = await startModel(
    (prompt: Prompt): Reply => (refusal === undefined ? agent.script(prompt) : { status: refusal }),
  );
  // The address of the gateway is needed for nexusd's configuration, and nexusd's socket for the gateway's.
  const installation = install("");
  const gateway = await installGateway({
    modelUrl: model.url,
    mcp: {
      nexusd: {
        command: process.execPath,
        args: [CLI, "--socket", installation.agentSocket, "mcp", "--consumer", CONSUMER],
      },
    },
  });
  const wire = await startWire(gateway.origin);
  installation.configure(`
[messaging]
base_url = "${messaging.url}"
agent_id = "me"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${sessionId}"
alias = "shop"
[nex]\nenabled = false\n[nexus]\nenabled = false
[[sinks]]
name = "${CONSUMER}"
kind = "openclaw"
types = ["messaging.message.received"]
url = "${wire.origin}"
token = { source = "env", id = "HOOK_TOKEN" }
${sink}
`);
  let daemon: RunningDaemon | undefined;
  let log = "";
  const killNexusd = async () => {
    await daemon?.end("SIGKILL");
    log += daemon?.log() ?? "";
    daemon = undefined;
  };
  return {
    ...{ messaging, sessionId, agent, model, gateway, wire, installation, killNexusd },
    say(...texts) {
      for (const text of texts) messaging.post(sessionId, "peer", { text });
    },
    refuse(status) {
      refusal = status;
    },
    async startNexusd() {
      daemon = startDaemon(installation, { HOOK_TOKEN });
      await daemon.ready;
    },
    nexusdLog: () => log + (daemon?.log() ?? ""),
    async logged() {
      const events = await readLog(installation.agentSocket);
      return events
        .filter(({ type }) => type === "nexusd.messaging.message.received")
        .map(({ sequence }) => Number(sequence));
    },
    async pending() {
      const { status, text } = await ask(installation.agentSocket, `/v1/consumers/${CONSUMER}`);
      if (status !== 200) throw new Error(text);
      return JSON.parse(text).pending.count;
    },
    async close() {
      await gateway.remove();
      await killNexusd();
      await Promise.all([model.close(), wire.close(), messaging.close()]);
      installation.remove();
    },
  };
}

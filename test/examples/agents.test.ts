// Each example agent, started as its own comment says, against the daemon and the sandbox: it confirms an order, with
// an operator's approval, across a SIGKILL of the daemon and one of its own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type Sandbox, startSandbox } from "../../sandbox/servers.ts";
import { type Client, createClient } from "../../src/client/index.ts";
import { type Installation, install, type RunningDaemon, startDaemon, until } from "../support/daemon.ts";

const AGENTS = [
  { name: "agent.py", command: ["python3", "examples/agent.py"], needs: ["python3"] },
  { name: "agent.sh", command: ["sh", "examples/agent.sh"], needs: ["curl", "jq"] },
  {
    name: "agent.ts",
    command: [process.execPath, "--import", "./test/support/entries.ts", "examples/agent.ts"],
    needs: [],
  },
];
const isThere = (program: string) => spawnSync(program, ["--version"]).status === 0;

let sandbox: Sandbox;
let installation: Installation;
let daemon: RunningDaemon;
let nexusd: Client;
let agent: ChildProcess | undefined;

// Each has its own, in which orders are pending.
beforeEach(async () => {
  sandbox = await startSandbox({ ports: { messaging: 0, nex: 0, nexus: 0 }, quietLife: true });
  await sandbox.nexus.ready;
  installation = install(`
[messaging]\nenabled = false
[nex]\nenabled = false
[nexus]
base_url = "${sandbox.nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
[jobs.nexus-pending-orders]
schedule = "* * * * * *"
`);
  daemon = startDaemon(installation, SANDBOX_ENV);
  await daemon.ready;
  nexusd = createClient(installation);
});
afterEach(async () => {
  agent?.kill("SIGKILL");
  nexusd?.close();
  await daemon?.end("SIGKILL");
  await sandbox?.close();
  installation?.remove();
});

function start([program = "", ...args]: string[]) {
  const child = spawn(program, args, {
    env: { ...process.env, NEXUSD_AGENT_SOCKET: installation.agentSocket },
    stdio: ["ignore", "pipe", "pipe"],
  });
  agent = child;
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, ended, stdout: () => stdout, stderr: () => stderr };
}

for (const { name, command, needs } of AGENTS) {
  const missing = needs.filter((program) => !isThere(program));
  const title = `${name} confirms an order once, though it and the daemon are killed on the way`;
  it.skipIf(missing.length > 0)(
    missing.length > 0 ? `${title} (needs ${missing.join(", ")})` : title,
    async () => {
      const first = start([...command, "1"]);
      const proposed = await until(
        async () => (await nexusd.writes.list()).writes[0],
        () => `a proposal: ${first.stderr()}`,
      );
      expect(proposed).toMatchObject({
        ...{ operation: "nexus.orders.update_status", state: "proposed", agent: "bookkeeper" },
        reason: expect.stringContaining("can be packed"),
      });
      first.child.kill("SIGKILL");
      await first.ended;

      const second = start([...command, "1"]);
      await daemon.end("SIGKILL");
      await until(() => second.stderr() !== "" || command.includes("examples/agent.ts"), "the agent to wait");
      daemon = startDaemon(installation, SANDBOX_ENV);
      await daemon.ready;
      await nexusd.writes.approve(proposed.id, { digest: proposed.digest });
      expect(await second.ended, second.stderr()).toBe(0);
      const { order, ...done } = JSON.parse(second.stdout());
      expect(done).toEqual({ state: "succeeded", write: proposed.id });
      // One proposal, however often it was sent; and finished events are acknowledged.
      const writes = (await nexusd.writes.list()).writes;
      expect(writes.map(({ id, state }) => [id, state])).toEqual([[proposed.id, "succeeded"]]);
      const [consumer] = (await nexusd.consumers.list()).consumers;
      const { events } = await nexusd.readEvents({ types: ["nexus.order.pending"] });
      const handled = events.find(
        (event) => event.type === "nexusd.nexus.order.pending" && event.data.orderNumber === order,
      );
      expect(String(consumer?.position)).toBe(handled?.sequence);
    },
  );
}

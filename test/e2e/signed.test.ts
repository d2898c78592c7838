// A decision made away from the daemon's machine: the statement is signed by a real ssh-keygen, an agent submits it,
// and PostgREST shows the new row.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import { type CliResult, runCli } from "../support/cli.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";

const ORDER = "0c000000-0000-4000-8000-000000000007";
let nexus: NexusServer;
let installation: Installation;
let daemon: RunningDaemon;

const inDirectory = (name: string) => join(installation.directory, name);
const keygen = (args: string[], input = "") =>
  execFileSync("ssh-keygen", args, { input, stdio: ["pipe", "pipe", "pipe"] }).toString();

beforeAll(async () => {
  nexus = await startNexus({
    apiKey: SANDBOX_ENV.NEXUS_API_KEY,
    anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    rateLimit: null,
  });
  await nexus.ready;
  await nexus.sql(
    "insert into orders (id, organization_id, order_number, order_status, total_amount) values ($1, $2, 'S-1', 'pending', 10)",
    [ORDER, nexus.organizationId],
  );
  installation = install("");
  keygen(["-q", "-t", "ed25519", "-N", "", "-C", "alice@phone", "-f", inDirectory("alice")]);
  const key = readFileSync(inDirectory("alice.pub"), "utf8").split(" ").slice(0, 2).join(" ");
  writeFileSync(inDirectory("signers"), `alice namespaces="nexusd-decision" ${key}\n`, { mode: 0o600 });
  const head = readFileSync(installation.configPath, "utf8");
  writeFileSync(
    installation.configPath,
    `${head}
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]
base_url = "${nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
[jobs.nexus-low-stock]\nenabled = false
[jobs.nexus-pending-orders]\nenabled = false
[approvals]
signers = "${inDirectory("signers")}"
[approvals.policy]
"nexus.*" = "signed"
`,
  );
  daemon = startDaemon(installation);
  await daemon.ready;
});

afterAll(async () => {
  await daemon?.end("SIGKILL");
  await nexus?.close();
  installation?.remove();
});

const nexusctl = (...args: string[]): Promise<CliResult> =>
  runCli(args, {
    NEXUSD_AGENT_SOCKET: installation.agentSocket,
    NEXUSD_OPERATOR_SOCKET: installation.operatorSocket,
    PATH: process.env.PATH ?? "",
  });
const propose = async (orderStatus: string) => {
  const { stdout } = await nexusctl(
    "write",
    "nexus.orders.update_status",
    `orderId=${ORDER}`,
    `orderStatus=${orderStatus}`,
  );
  return JSON.parse(stdout);
};
const decide = (id: string) =>
  nexusctl("writes", "decide", id, "--signature", inDirectory("signature"), "--signer", "alice");
const statusOf = async () =>
  (await nexus.sql("select order_status from orders where id = $1", [ORDER]))[0]?.order_status;
const settled = (id: string) =>
  until(async () => {
    const write = JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);
    return ["succeeded", "failed", "unknown"].includes(write.state) && write;
  }, "the end of the write");

test("a statement signed by hand with ssh-keygen is executed, and the audit log records it", async () => {
  const { id } = await propose("confirmed");
  const { stdout: statement } = await nexusctl("writes", "statement", id);
  expect(statement).toContain(`decision: approve\nwrite: ${id}\n`);
  const signature = keygen(["-Y", "sign", "-n", "nexusd-decision", "-f", inDirectory("alice")], statement);
  writeFileSync(inDirectory("signature"), signature);
  const decided = await decide(id);
  expect(decided).toMatchObject({ code: 0 });
  expect(await settled(id)).toMatchObject({
    state: "succeeded",
    decidedBy: { via: "agent.sock", door: "signature", signer: "alice" },
  });
  expect(await statusOf()).toBe("confirmed");

  const again = await decide(id);
  expect(again.code).toBe(1);
  const { rows } = JSON.parse((await nexusctl("audit", "show", "--write", id)).stdout);
  const row = rows.find(({ action }: { action: string }) => action === "approved");
  expect(row.actor).toMatchObject({ door: "signature", signer: "alice" });
  expect(JSON.parse(row.detail)).toMatchObject({ statement, decision: "approve", signer: "alice" });
  expect(JSON.parse((await nexusctl("audit", "verify")).stdout)).toMatchObject({ ok: true });
});

test("nexusctl writes sign signs what it has checked, and submits it", async () => {
  const { id, digest } = await propose("fulfilling");
  const key = inDirectory("alice");
  const signed = await nexusctl(
    "writes",
    "sign",
    id,
    "--key",
    key,
    "--yes",
    "--digest",
    digest,
    "--decide",
    "--signer",
    "alice",
  );
  expect(signed).toMatchObject({ code: 0 });
  expect(await settled(id)).toMatchObject({ state: "succeeded" });
  expect(await statusOf()).toBe("fulfilling");
});

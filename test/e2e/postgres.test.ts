// The whole thread on PostgreSQL: the sandbox's services, the real daemon, a server of its own that is killed.

import { expect, onTestFinished, test } from "vitest";
import { SANDBOX_ENV, SANDBOX_SESSION_ID } from "../../sandbox/args.ts";
import { startSandbox } from "../../sandbox/servers.ts";
import { runCli } from "../support/cli.ts";
import { ask, install, readLog, startDaemon, until } from "../support/daemon.ts";
import { TEST_KEY } from "../support/open-store.ts";
import { startPostgres } from "../support/postgres.ts";

const KINDS = [
  "nexusd.messaging.message.received",
  "nexusd.nex.insight.received",
  "nexusd.nexus.stock.low",
  "nexusd.nexus.order.pending",
];

/** The daemon on the sandbox's services and a PostgreSQL, all its own. */
async function installed() {
  const server = await startPostgres();
  onTestFinished(server.stop);
  const sandbox = await startSandbox({ ports: { messaging: 0, nex: 0, nexus: 0 }, quietLife: false });
  onTestFinished(() => sandbox.close());
  await sandbox.nexus.ready;
  const installation = install(`
[messaging]
base_url = "${sandbox.messaging.url}"
[[messaging.sessions]]
id = "${SANDBOX_SESSION_ID}"
[nex]
base_url = "${sandbox.nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
base_url = "${sandbox.nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
[jobs.nexus-low-stock]
schedule = "*/2 * * * * *"
[jobs.nexus-pending-orders]
schedule = "*/2 * * * * *"
`);
  onTestFinished(installation.remove);
  const start = () => {
    const daemon = startDaemon(installation, {
      ...SANDBOX_ENV,
      NEXUSD_TEST_POSTGRES_URL: server.url,
    });
    onTestFinished(() => void daemon.end("SIGKILL"));
    return daemon;
  };
  return { server, installation, start };
}

test("one daemon does the main job on PostgreSQL, across a SIGKILL of it and of the server", async () => {
  const { server, installation, start } = await installed();
  const { agentSocket } = installation;
  const first = start();
  await first.ready;
  await until(async () => {
    const seen = new Set((await readLog(agentSocket)).map(({ type }) => type));
    return KINDS.every((kind) => seen.has(kind));
  }, KINDS.join(", "));
  const { status, text } = await ask(agentSocket, "/v1/writes", {
    method: "POST",
    body: { operation: "messaging.messages.send", input: { session: SANDBOX_SESSION_ID, text: "hello" } },
  });
  expect([status, text]).toEqual([202, expect.any(String)]);
  const { id } = JSON.parse(text);
  await until(
    async () => JSON.parse((await ask(agentSocket, `/v1/writes/${id}`)).text).state === "succeeded",
    "the write",
  );
  const health = async () => JSON.parse((await ask(agentSocket, "/v1/health")).text);
  const { epoch } = await health();

  await first.end("SIGKILL");
  const before = start();
  await before.ready;
  expect((await health()).epoch).toBe(epoch);
  const seen = await readLog(agentSocket);
  expect(seen.map(({ sequence }) => Number(sequence))).toEqual(seen.map((_, at) => at + 1));

  await server.kill();
  await until(async () => (await health()).status === "degraded", "a health that says so");
  await server.start();
  await until(async () => (await health()).status === "ok", "its health");
  const { length } = await readLog(agentSocket);
  await until(async () => (await readLog(agentSocket)).length > length, "what comes after");
  const all = await readLog(agentSocket);
  expect(all.map(({ sequence }) => Number(sequence))).toEqual(all.map((_, at) => at + 1));
  expect(all.slice(0, seen.length).map(({ id: one }) => one)).toEqual(seen.map(({ id: one }) => one));
  const verdict = await runCli(["audit", "verify", "--socket", installation.operatorSocket, "--json"], {});
  expect(verdict).toMatchObject({ code: 0 });
  expect(await before.end("SIGTERM")).toBe(0);
  for (const log of [first.log(), before.log()]) expect(log).not.toContain(TEST_KEY.toString("base64"));
}, 240_000);

// On a platform for which npm has no PostgREST, the main job still shows what it can.

import { afterAll, beforeAll, expect, test } from "vitest";
import { SANDBOX_ENV, SANDBOX_SESSION_ID } from "../../sandbox/args.ts";
import { type Sandbox, startSandbox } from "../../sandbox/servers.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";

const { arch } = process;
const { PATH = "" } = process.env;
let sandbox: Sandbox;
let installation: Installation;
let daemon: RunningDaemon;

beforeAll(async () => {
  Object.defineProperty(process, "arch", { value: "riscv128" });
  process.env.PATH = "";
  sandbox = await startSandbox({ ports: { messaging: 0, nex: 0, nexus: 0 }, quietLife: false });
  await sandbox.nexus.ready.catch(() => {});
  process.env.PATH = PATH;
  Object.defineProperty(process, "arch", { value: arch });
});
afterAll(async () => {
  daemon?.process.kill("SIGKILL");
  await sandbox?.close();
  installation?.remove();
});

test("the sandbox says what is missing and what to do", async () => {
  await expect(sandbox.nexus.ready).rejects.toThrow(
    /no PostgREST for linux-riscv128: put one named "postgrest" on the PATH.*NexusMessaging and Nex go on/,
  );
});

test("messages and insights arrive, and the status reports that Nexus does not answer", async () => {
  installation = install(`
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
`);
  daemon = startDaemon(installation, SANDBOX_ENV);
  await daemon.ready;
  await until(async () => {
    const seen = new Set((await readLog(installation.agentSocket)).map(({ type }) => type));
    return seen.has("nexusd.messaging.message.received") && seen.has("nexusd.nex.insight.received");
  }, "messages and insights");
  const { services } = await until(async () => {
    const status = JSON.parse((await ask(installation.agentSocket, "/v1/status")).text);
    return status.services.nexus.lastError && status;
  }, "an error of Nexus");
  expect(services).toMatchObject({
    messaging: { state: "ok" },
    nexus: { state: expect.not.stringMatching("ok") },
  });
});

// A configured session that nexusd cannot join is reported on every surface.

import { afterEach, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { runCli } from "../support/cli.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";

let messaging: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;
afterEach(async () => {
  await daemon?.end("SIGKILL");
  await messaging?.close();
  installation?.remove();
});

test("health, status and doctor name a configured session that was not joined", async () => {
  messaging = await startMessaging({ rateLimit: null });
  const joined = messaging.createSession({ ttl: 3600 });
  const full = messaging.createSession({ ttl: 3600, maxAgents: 1 });
  messaging.post(full, "peer", { text: "there is one place, and it is mine" });
  installation = install(`
[messaging]
base_url = "${messaging.url}"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${joined}"
alias = "open"
[[messaging.sessions]]
id = "${full}"
alias = "crowded"
[nex]
enabled = false
[nexus]
enabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
  const get = async (path: string) => JSON.parse((await ask(installation.agentSocket, path)).text);
  const reasons = async () =>
    (await get("/v1/health")).reasons.filter(({ code }: { code: string }) => code === "session");

  const absent = await until(async () => {
    const found = await reasons();
    return found.length === 1 && found;
  }, "one session to be left");
  expect(absent[0].detail).toContain("nexusd is not in the configured session crowded");
  expect((await get("/v1/health")).status).toBe("degraded");
  expect((await get("/v1/status")).services.messaging.notJoined).toEqual(["crowded"]);
  const examined = await runCli(["--json", "--config", installation.configPath, "doctor"]);
  expect(examined.stdout).toContain("nexusd is not in the configured session crowded");
  expect(`${examined.stdout}${JSON.stringify(await reasons())}`).not.toContain(full);
});

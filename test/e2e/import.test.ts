// From nexus.sh to nexusd on a live server: messages after the imported cursor arrive once, under the old agent id.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { runCli } from "../support/cli.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { fingerprint, writeNexusSh } from "../support/nexus-sh.ts";

let server: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;

beforeAll(async () => {
  server = await startMessaging({ rateLimit: null });
  installation = install(`
[messaging]
base_url = "${server.url}"
requests_per_minute = 6000
[nex]\nenabled = false
[nexus]\nenabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
});
afterAll(async () => {
  daemon?.process.kill("SIGKILL");
  await server?.close();
  installation?.remove();
});

const nexusctl = (...args: string[]) =>
  runCli(args, {
    NEXUSD_AGENT_SOCKET: installation.agentSocket,
    NEXUSD_OPERATOR_SOCKET: installation.operatorSocket,
  });
const texts = async () =>
  (await readLog(installation.agentSocket))
    .filter(({ type }) => type === "nexusd.messaging.message.received")
    .map(({ data }) => data.text);

test("an imported session continues where nexus.sh stopped, and still accepts messages with its key", async () => {
  const sessionId = server.createSession({ greeting: "welcome", ttl: 600 });
  const joined = await fetch(`${server.url}/v1/sessions/${sessionId}/join`, {
    method: "POST",
    headers: { "x-agent-id": "old-agent" },
  });
  const { sessionKey } = (await joined.json()) as { sessionKey: string };
  const { cursor } = server.post(sessionId, "peer", { text: "read before" });
  server.post(sessionId, "peer", { text: "not read yet" });

  const directory = join(installation.directory, "messaging");
  writeNexusSh(
    directory,
    { [sessionId]: { agent: "old-agent", key: sessionKey, cursor, server: server.url } },
    { aliases: { review: sessionId } },
  );
  const before = fingerprint(directory);
  expect(await nexusctl("import", "nexus-sh", "--dir", directory)).toMatchObject({ code: 0 });
  server.post(sessionId, "peer", { text: "and more" });
  await until(async () => (await texts()).includes("and more"), "the message after the import");
  const again = await nexusctl("import", "nexus-sh", "--dir", directory);
  expect(JSON.parse(again.stdout).sessions).toMatchObject([{ outcome: "known", alias: "review" }]);

  const sent = await nexusctl("messaging", "send", "review", "going on");
  expect(sent).toMatchObject({ code: 0 });
  server.post(sessionId, "peer", { text: "the last" });
  await until(async () => (await texts()).includes("the last"), "the last message");
  expect(await texts()).toEqual(["not read yet", "and more", "the last"]);

  const history = await fetch(`${server.url}/v1/sessions/${sessionId}/messages`, {
    headers: { "x-agent-id": "old-agent" },
  });
  const { messages } = (await history.json()) as { messages: { text: string }[] };
  expect(messages.find(({ text }) => text === "going on")).toMatchObject({
    agentId: "old-agent",
    verified: true,
  });

  const { sessions } = JSON.parse((await nexusctl("messaging", "ls")).stdout);
  expect(sessions).toMatchObject([{ alias: "review", agentId: "old-agent", expiresAt: expect.any(String) }]);
  expect(fingerprint(directory)).toEqual(before);
  for (const secret of [sessionKey, sessionId]) expect(daemon.log()).not.toContain(secret);

  // A key stored by an earlier start is known as well.
  await daemon.end("SIGTERM");
  daemon = startDaemon(installation);
  await daemon.ready;
  const leak = await nexusctl("messaging", "send", "review", `my key is ${sessionKey}`);
  expect(leak.code).toBe(1);
  expect(JSON.parse(leak.stdout)).toMatchObject({
    ...{ code: "secret_in_text", status: 422 },
    errors: [{ path: "input.text", message: expect.stringContaining("CREDENTIAL_OF_NEXUSD") }],
  });
  expect(leak.stdout).not.toContain(sessionKey);
  const { text } = await ask(installation.agentSocket, "/v1/writes");
  expect(text).not.toContain("my key is");
  expect(readFileSync(installation.configPath, "utf8")).not.toContain(sessionId);
});

test("a session of another server than the configured one is polled there", async () => {
  const other = await startMessaging({ rateLimit: null });
  try {
    const sessionId = other.createSession();
    await fetch(`${other.url}/v1/sessions/${sessionId}/join`, {
      method: "POST",
      headers: { "x-agent-id": "old-agent" },
    });
    const directory = join(installation.directory, "elsewhere");
    writeNexusSh(directory, { [sessionId]: { agent: "old-agent", server: other.url } });
    expect(await nexusctl("import", "nexus-sh", "--dir", directory)).toMatchObject({ code: 0 });
    other.post(sessionId, "peer", { text: "from elsewhere" });
    await until(async () => (await texts()).includes("from elsewhere"), "the message of the other server");
  } finally {
    await other.close();
  }
});

// nexusctl messaging, the daemon and a NexusMessaging server together: two agents meet, talk and part.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { type CliProcess, runCli, spawnCli } from "../support/cli.ts";
import { type Installation, install, type RunningDaemon, startDaemon, until } from "../support/daemon.ts";

let server: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;
let following: CliProcess | undefined;

beforeAll(async () => {
  server = await startMessaging({ rateLimit: null });
  installation = install(`
[messaging]
base_url = "${server.url}"
agent_id = "nexusd-test"
requests_per_minute = 6000
[nex]\nenabled = false
[nexus]\nenabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
});
afterAll(async () => {
  following?.child.kill("SIGKILL");
  daemon?.process.kill("SIGKILL");
  await server?.close();
  installation?.remove();
});

const env = () => ({
  NEXUSD_AGENT_SOCKET: installation.agentSocket,
  NEXUSD_OPERATOR_SOCKET: installation.operatorSocket,
});
/** Runs a command that must succeed. @returns its JSON */
async function messaging(...args: string[]) {
  const { code, stdout, stderr } = await runCli(["messaging", ...args], env());
  expect(code, `${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
  return JSON.parse(stdout);
}
/** The other agent, without nexusd. */
async function peer(method: string, path: string, body?: unknown) {
  const response = await fetch(server.url + path, {
    method,
    headers: { "x-agent-id": "peer" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  // The stand-in's own documented shapes.
  return (await response.json()) as Record<string, string>;
}
const sessionOf = async (alias: string) =>
  (await messaging("ls")).sessions.find((session: { alias: string | null }) => session.alias === alias);

test("a session is created, paired, used in both directions, renewed, renamed and left, each with one command", async () => {
  const created = await messaging(
    "create",
    "--alias",
    "ops",
    "--greeting",
    "Hello",
    "--ttl",
    "10m",
    "--as-member",
  );
  const { sessionId } = created;
  expect(created).toMatchObject({ sessionId: expect.stringMatching(/^[0-9a-f]{48}$/) });
  expect(JSON.stringify(created)).not.toMatch(/sessionKey/);
  await until(async () => (await sessionOf("ops"))?.state === "joined", "the session to be entered");

  const { code, url } = await messaging("pair", "ops");
  expect(url).toBe(`${server.url}/p/${code}`);
  expect(await messaging("pair-status", code)).toMatchObject({ state: "pending" });
  await peer("POST", `/v1/pair/${code}/claim`);
  expect(await messaging("pair-status", code)).toMatchObject({ state: "claimed" });

  following = spawnCli(["messaging", "poll", "ops", "--follow", "--after", "0"], env());
  await peer("POST", `/v1/sessions/${sessionId}/messages`, { text: "are you there?" });
  await following.until(({ lines }) => lines().some((line) => line.includes("are you there?")));

  expect(await messaging("send", "ops", "yes")).toMatchObject({ cursor: expect.any(String) });
  await messaging("send", sessionId.slice(0, 8), "with", "--data", '{"n":1}', "--strict");
  const { messages } = await messaging("history", "ops");
  expect(messages).toMatchObject([
    { text: "Hello", cursor: "0" },
    { text: "are you there?", agentId: "peer" },
    { text: "yes", agentId: "nexusd-test", verified: true },
    { text: "with", json: { n: 1 }, verified: true },
  ]);

  const { members } = await messaging("members", "ops");
  expect(members.map(({ agentId }: { agentId: string }) => agentId).toSorted()).toEqual([
    "nexusd-test",
    "peer",
  ]);
  expect(await messaging("status", "ops")).toMatchObject({ agents: ["nexusd-test", "peer"], ttl: 600 });
  expect(await messaging("renew", "ops", "--ttl", "20m")).toMatchObject({ ttl: 1200 });
  expect(await messaging("health")).toMatchObject({ uptime: expect.any(Number) });
  expect(await messaging("stats", server.url)).toMatchObject({ activeSessions: 1, totalAgents: 2 });

  await messaging("alias", sessionId, "war-room");
  expect(await sessionOf("war-room")).toMatchObject({ sessionId });
  await messaging("unalias", "war-room");
  expect(await sessionOf("war-room")).toBeUndefined();
  await messaging("leave", sessionId);
  expect((await peer("GET", `/v1/sessions/${sessionId}`)).agents).toEqual(["peer"]);
  await messaging("leave", sessionId);
});

test("a code from another agent is claimed, and new messages there arrive", async () => {
  const session = server.createSession({ greeting: "welcome", creatorAgentId: "peer" });
  const { url } = await peer("PUT", "/v1/pair", { sessionId: session });
  expect(await messaging("claim", String(url), "--alias", "theirs")).toMatchObject({ sessionId: session });
  await until(async () => {
    const { stdout } = await runCli(["messaging", "poll", "theirs"], env());
    return stdout.includes("welcome");
  }, "the greeting in the log");
  const again = await runCli(["messaging", "claim", String(url)], env());
  expect(again.code).toBe(1);
  expect(JSON.parse(again.stdout)).toMatchObject({
    code: "code_expired_or_used",
    writeId: expect.any(String),
  });
});

test("a session with a known id is joined, and no command leaves a key or an id in the log", async () => {
  const session = server.createSession({});
  await messaging("join", session, "--alias", "known");
  await until(async () => (await sessionOf("known"))?.state === "joined", "the session to be joined");
  expect(daemon.log()).not.toContain(session);
});

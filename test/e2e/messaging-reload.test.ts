// A configuration reload during work on sessions: it loses nothing and undoes nothing.

import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { createProposer } from "../support/proposer.ts";

let server: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;

beforeAll(async () => {
  server = await startMessaging({ rateLimit: null });
  installation = install(`
[messaging]
base_url = "${server.url}"
agent_id = "me"
requests_per_minute = 6000
max_staleness = "60s"
[nex]\nenabled = false\n[nexus]\nenabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
});

afterAll(async () => {
  await daemon.end("SIGKILL");
  await server.close();
  installation.remove();
});

const { propose, ended } = createProposer(() => installation.agentSocket);
const succeeds = async (operation: string, input: object) => {
  expect((await ended(await propose(operation, input))).state).toBe("succeeded");
};
const enter = async () => {
  const session = server.createSession({});
  await succeeds("messaging.sessions.join", { session });
  return session;
};
const agentsOf = async (session: string) => {
  const response = await fetch(`${server.url}/v1/sessions/${session}`);
  return ((await response.json()) as { agents: string[] }).agents; // the stand-in always names them
};
const eventsOf = async (session: string) =>
  (await readLog(installation.agentSocket))
    .filter(({ source }) => source.endsWith(session))
    .map(({ type }) => type.replace("nexusd.messaging.", ""));
const reloads = () => daemon.log().split("configuration reloaded").length - 1;

/** With a change, because nothing is rebuilt without one. */
async function reload(): Promise<void> {
  const before = reloads();
  const toml = readFileSync(installation.configPath, "utf8");
  const staleness = toml.includes('"60s"') ? ['"60s"', '"50s"'] : ['"50s"', '"60s"'];
  writeFileSync(installation.configPath, toml.replace(staleness[0] ?? "", staleness[1] ?? ""));
  daemon.process.kill("SIGHUP");
  await until(() => reloads() > before, "the reload");
}

it("a session that is being left is not joined again", async () => {
  const session = await enter();
  const polls = () =>
    server.requests.filter(({ method, path }) => method === "GET" && path.includes(`${session}/messages`));
  server.addFault({ kind: "stall", match: "DELETE", afterHandling: true, ms: 3000 });
  const id = await propose("messaging.sessions.leave", { session });
  await until(async () => (await agentsOf(session)).length === 0, "the server to let us go");
  await reload();
  const before = polls().length;
  expect((await ended(id)).state).toBe("succeeded");
  expect(polls().length - before).toBeLessThanOrEqual(1);
  expect(await agentsOf(session)).toEqual([]);
  expect(await eventsOf(session)).toEqual(["session.joined", "session.left"]);
});

it("sessions left during two reloads in a row stay left", async () => {
  const [stays = "", ...sessions] = await Promise.all(Array.from({ length: 41 }, enter));
  let isDone = false;
  const reloading = (async () => {
    while (!isDone) await reload();
  })();
  await Promise.all(sessions.map((session) => succeeds("messaging.sessions.leave", { session })));
  isDone = true;
  await reloading;
  const polled = server.requests.length;
  await until(() => server.requests.length > polled + sessions.length, "polls after the last reload");
  expect(await agentsOf(stays)).toEqual(["me"]);
  expect(await Promise.all(sessions.map(agentsOf))).toEqual(sessions.map(() => []));
});

it("swapped aliases mean the same sessions to readers and writers", async () => {
  const ids = ["first", "second"].map(() => server.createSession({}));
  const named = (names: string[]) =>
    ids.map((id, n) => `[[messaging.sessions]]\nid = "${id}"\nalias = "${names[n]}"\n`).join("");
  const before = readFileSync(installation.configPath, "utf8");
  const reload = async (toml: string) => {
    const reloads = () => daemon.log().split("configuration reloaded").length;
    const count = reloads();
    writeFileSync(installation.configPath, before + toml);
    daemon.process.kill("SIGHUP");
    await until(() => reloads() > count, "the reload");
  };
  const view = async (alias: string) =>
    JSON.parse((await ask(installation.agentSocket, `/v1/messaging/sessions/${alias}/messages`)).text);
  await reload(named(["customer", "team"]));
  for (const id of ids) server.post(id, "peer", { text: `in ${ids.indexOf(id)}` });
  await until(async () => {
    const views = await Promise.all(["customer", "team"].map(view));
    return views.every(({ messages }) => messages?.length === 1);
  }, "the messages");

  await reload(named(["team", "customer"]));
  expect((await view("customer")).messages).toMatchObject([{ text: "in 1" }]);
  expect((await view("team")).messages).toMatchObject([{ text: "in 0" }]);
  expect(
    await ended(await propose("messaging.messages.send", { session: "customer", text: "hi" })),
  ).toMatchObject({
    state: "succeeded",
  });
  const sent = server.requests.filter(({ method, path }) => method === "POST" && path.endsWith("/messages"));
  expect(sent.at(-1)?.path).toContain(ids[1]);
});

// Three real daemons on one PostgreSQL and the sandbox's services: one log, and each thing done by one of them.

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { startMessaging } from "../../sandbox/messaging.ts";
import { startSandbox } from "../../sandbox/servers.ts";
import type { JobStatus } from "../../src/contract/api/jobs.ts";
import type { NodesView } from "../../src/contract/api/nodes.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  type SeenEvent,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { TEST_KEY } from "../support/open-store.ts";
import { startPostgres } from "../support/postgres.ts";

const POLLING = "executor";
const KEY = TEST_KEY.toString("base64");

interface Node extends Installation {
  name: string;
  daemon: RunningDaemon;
  start(): Promise<void>;
  get<T>(path: string): Promise<T>;
}

/** Nodes of one fleet, all started, that poll two sessions and follow the insights. */
async function startFleet(names: readonly string[]) {
  const server = await startPostgres();
  onTestFinished(server.stop);
  const messaging = await startMessaging({ rateLimit: null });
  onTestFinished(() => messaging.close());
  const sandbox = await startSandbox({ ports: { messaging: 0, nex: 0, nexus: 0 }, quietLife: false });
  onTestFinished(() => sandbox.close());
  const sessions = [messaging.createSession({}), messaging.createSession({})];
  const toml = `
[store]
kind = "postgres"
url = { source = "env", id = "NEXUSD_TEST_POSTGRES_URL" }
encryption_key = { source = "env", id = "NEXUSD_TEST_KEY" }
[messaging]
base_url = "${messaging.url}"
requests_per_minute = 6000
${sessions.map((id, at) => `[[messaging.sessions]]\nid = "${id}"\nalias = "room-${at}"`).join("\n")}
[nex]
base_url = "${sandbox.nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
enabled = false
`;
  const env = { ...SANDBOX_ENV, NEXUSD_TEST_POSTGRES_URL: server.url, NEXUSD_TEST_KEY: KEY };
  const nodes = names.map((name): Node => {
    const installation = install("");
    onTestFinished(installation.remove);
    const { configPath, dataDir } = installation;
    writeFileSync(
      configPath,
      `[daemon]\nnode = "${name}"\ndata_dir = "${dataDir}"\nlog_level = "debug"\nlog_format = "json"\n${toml}`,
    );
    const begin = () => {
      const daemon = startDaemon(installation, env);
      onTestFinished(() => void daemon.end("SIGKILL"));
      return daemon;
    };
    const node: Node = {
      ...{ ...installation, name, daemon: begin() },
      async start() {
        node.daemon = begin();
        await node.daemon.ready;
      },
      get: async (path) => JSON.parse((await ask(installation.agentSocket, path)).text),
    };
    return node;
  });
  await Promise.all(nodes.map(({ daemon }) => daemon.ready));
  return { server, messaging, sessions, nodes };
}

/** What each node holds, as one of them sees it. */
const holdings = async (node: Node): Promise<Record<string, string[]>> => {
  const { nodes } = await node.get<NodesView>("/v1/nodes");
  return Object.fromEntries(nodes.map(({ name, leases }) => [name, leases.map(({ resource }) => resource)]));
};
const holderOf = async (node: Node, resource: string): Promise<string | undefined> =>
  Object.entries(await holdings(node)).find(([, held]) => held.includes(resource))?.[0];

const named = (nodes: readonly Node[], name: string | undefined): Node => {
  const node = nodes.find((one) => one.name === name);
  if (!node) throw new Error(`no node ${name}`);
  return node;
};

const textsOf = (log: readonly SeenEvent[]): string[] =>
  log.filter(({ type }) => type === "nexusd.messaging.message.received").map(({ data }) => String(data.text));

test("each message and insight is logged once, in one log for all nodes, whichever node is killed", async () => {
  const { messaging, sessions, nodes } = await startFleet(["a", "b", "c"]);
  const [first] = nodes;
  if (!first) throw new Error("no node");
  await until(async () => (await holderOf(first, POLLING)) !== undefined, "somebody who polls");
  const posted: string[] = [];
  let isPosting = true;
  const posting = (async () => {
    for (let at = 0; isPosting; at++) {
      const text = `message ${at}`;
      messaging.post(sessions[at % 2] ?? "", "peer", { text });
      posted.push(text);
      await sleep(20);
    }
  })();

  const killed: string[] = [];
  for (let round = 0; round < 3; round++) {
    const holder = named(nodes, await until(() => holderOf(first, POLLING), "the one who polls"));
    const other = named(nodes, nodes.find(({ name }) => name !== holder.name)?.name);
    const before = textsOf(await readLog(other.agentSocket)).length;
    await holder.daemon.end("SIGKILL");
    killed.push(holder.name);
    await until(
      async () => textsOf(await readLog(other.agentSocket)).length > before + 20,
      "the next holder",
    );
    await until(
      async () => {
        const lost = (await readLog(other.agentSocket)).filter(({ type }) => type === "nexusd.node.lost");
        return lost.length === killed.length;
      },
      "the event of its loss",
      10_000,
    );
    await holder.start();
  }
  isPosting = false;
  await posting;
  await until(async () => textsOf(await readLog(first.agentSocket)).length >= posted.length, "every message");
  await sleep(500);

  const logs = await Promise.all(nodes.map(({ agentSocket }) => readLog(agentSocket)));
  const log = logs[0] ?? [];
  expect(textsOf(log).toSorted()).toEqual(posted.toSorted());
  for (const session of [0, 1])
    expect(textsOf(log.filter(({ data }) => data.alias === `room-${session}`))).toEqual(
      posted.filter((_, at) => at % 2 === session),
    );
  const insights = log.filter(({ type }) => type === "nexusd.nex.insight.received");
  expect(insights.length).toBeGreaterThan(0);
  const ids = insights.map(({ data }) => JSON.stringify(data.insight.id ?? data.insight));
  expect(new Set(ids).size).toBe(ids.length);
  expect(log.map(({ sequence }) => Number(sequence))).toEqual(log.map((_, at) => at + 1));
  const shortest = Math.min(...logs.map(({ length }) => length));
  for (const other of logs)
    expect(other.slice(0, shortest).map(({ id }) => id)).toEqual(log.slice(0, shortest).map(({ id }) => id));
  const lost = log.filter(({ type }) => type === "nexusd.node.lost").map(({ subject }) => subject);
  expect(lost).toEqual(killed);
  const joined = log.filter(({ type }) => type === "nexusd.node.joined").map(({ subject }) => subject);
  expect(joined.toSorted()).toEqual(["a", "b", "c", ...killed].toSorted());
  expect(await Promise.all(nodes.map(({ daemon }) => daemon.end("SIGTERM")))).toEqual([0, 0, 0]);
}, 240_000);

test("a drain moves everything, jobs are shown and paused from any node, and views are fresh on all", async () => {
  const { messaging, sessions, nodes } = await startFleet(["a", "b"]);
  const [a, b] = nodes;
  if (!a || !b) throw new Error("no nodes");
  await until(async () => (await holderOf(a, POLLING)) !== undefined, "somebody who polls");
  const holder = named(nodes, await holderOf(a, POLLING));
  const other = holder === a ? b : a;
  const jobOf = async (node: Node) =>
    (await node.get<{ jobs: JobStatus[] }>("/v1/jobs")).jobs.find(({ name }) => name === "messaging-poll");

  await until(async () => (await jobOf(other))?.node === holder.name, "the node of the job");
  expect(await jobOf(other)).toMatchObject({ state: "standby", running: false });
  await until(async () => (await jobOf(holder))?.state === "ok", "its success");

  const operator = (node: Node, path: string) => ask(node.operatorSocket, path, { method: "POST" });
  expect((await operator(other, "/v1/jobs/messaging-poll/pause")).status).toBe(200);
  await until(async () => (await jobOf(holder))?.state === "paused", "the pause on the other node", 5000);
  expect((await operator(other, "/v1/jobs/messaging-poll/resume")).status).toBe(200);
  await until(async () => (await jobOf(holder))?.state === "ok", "the resumed job");

  expect((await operator(holder, "/v1/nodes/drain")).status).toBe(200);
  await until(async () => (await holdings(other))[holder.name]?.length === 0, "the drain");
  await until(async () => (await holderOf(other, POLLING)) === other.name, "the other node's turn");
  messaging.post(sessions[0] ?? "", "peer", { text: "after the drain" });
  await until(
    async () => textsOf(await readLog(holder.agentSocket)).includes("after the drain"),
    "the message",
  );
  await until(
    async () => {
      const views = await Promise.all(
        nodes.map((node) => node.get<{ sessions: object[] }>("/v1/messaging/sessions")),
      );
      const cursors = views.map((view) =>
        JSON.stringify(view.sessions.map((one) => ({ ...one, lastPolledAt: null }))),
      );
      return cursors[0] === cursors[1];
    },
    "the same sessions on both",
    2000,
  );
  expect((await operator(holder, "/v1/nodes/resume")).status).toBe(200);
  await until(
    async () => (await other.get<NodesView>("/v1/nodes")).nodes.every(({ state }) => state === "up"),
    "the end of the drain",
  );

  // A write is executed by the node that polls, wherever it was proposed.
  const proposed = await ask(holder.agentSocket, "/v1/writes", {
    method: "POST",
    body: { operation: "messaging.messages.send", input: { session: "room-1", text: "from any node" } },
  });
  const { id } = JSON.parse(proposed.text);
  await until(
    async () => (await holder.get<{ state: string }>(`/v1/writes/${id}`)).state === "succeeded",
    "the write",
  );

  expect(await holder.daemon.end("SIGTERM")).toBe(0);
  expect(await other.daemon.end("SIGTERM")).toBe(0);
}, 120_000);

test("without the database a node serves what it knows, and is back within 5 s of it", async () => {
  const { server, messaging, sessions, nodes } = await startFleet(["a"]);
  const [node] = nodes;
  if (!node) throw new Error("no node");
  await until(async () => (await holderOf(node, POLLING)) !== undefined, "somebody who polls");
  await server.kill();
  await until(async () => {
    const health = await node.get<{ reasons: { code: string }[] }>("/v1/health");
    return health.reasons.some(({ code }) => code === "store");
  }, "a health that says so");
  expect((await node.get<NodesView>("/v1/nodes")).node).toBe("a");
  expect((await node.get<{ jobs: JobStatus[] }>("/v1/jobs")).jobs.length).toBeGreaterThan(0);
  await sleep(8000);
  const polls = messaging.requests.length;
  await sleep(2000);
  expect(messaging.requests.length).toBe(polls);
  await server.start();
  messaging.post(sessions[0] ?? "", "peer", { text: "meanwhile" });
  await until(
    async () => {
      const log = await readLog(node.agentSocket).catch(() => []);
      return textsOf(log).includes("meanwhile");
    },
    "the message",
    5000,
  );
  expect(node.daemon.log().split('"level":50').length - 1, node.daemon.log()).toBeLessThan(6);
  expect(await node.daemon.end("SIGTERM")).toBe(0);
}, 120_000);

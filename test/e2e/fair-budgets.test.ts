// An agent that requests more than the server allows: people and polls still get their turn.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startMessaging } from "../../sandbox/messaging.ts";
import { runCli } from "../support/cli.ts";
import { ask, install, startDaemon, until } from "../support/daemon.ts";
import { createProposer } from "../support/proposer.ts";

/**
 * A daemon in one session of a server that allows 24 requests a minute beside the reserve: one agent could use them
 * all.
 */
async function startTight() {
  const server = await startMessaging({ rateLimit: null });
  onTestFinished(server.close);
  const id = server.createSession();
  const installation = install(`
[messaging]
base_url = "${server.url}"
agent_id = "me"
requests_per_minute = 30
reserve_per_minute = 6
[[messaging.sessions]]
id = "${id}"
[nex]\nenabled = false\n[nexus]\nenabled = false
`);
  onTestFinished(installation.remove);
  const daemon = startDaemon(installation);
  onTestFinished(async () => {
    await daemon.end("SIGKILL");
  });
  await daemon.ready;
  return { server, id, installation };
}

it("30 parallel reads by an agent leave budget for a person's read and for the polls", async () => {
  const { server, installation, id } = await startTight();
  const polls = () => server.requests.filter(({ path }) => path.includes("/messages")).length;
  await until(async () => polls() > 0, "the first poll");

  const read = (socket: string) =>
    ask(socket, "/v1/reads", {
      method: "POST",
      body: { operation: "messaging.sessions.get", input: { session: id } },
    });
  const answered: { status: number; text: string }[] = [];
  for (let n = 0; n < 30; n++)
    read(installation.agentSocket).then(
      (answer) => answered.push(answer),
      () => {}, // those that still wait when the daemon ends
    );
  await until(async () => answered.length > 0, "the first answer to the agent");

  const { status, text } = await read(installation.operatorSocket);
  expect([status, JSON.parse(text).meta.waitedMs]).toEqual([200, 0]);
  const before = polls();
  await until(async () => polls() >= before + 2, "two more polls");
  expect(answered.length).toBeLessThanOrEqual(12);
  expect(answered.every((answer) => answer.status === 200)).toBe(true);
});

const WATCHES = { "nexus-low-stock": 10, "nexus-pending-orders": 8 };
/** Longer than the burst that an idle budget allows, and several rounds of both watches. */
const STORM_MS = 40_000;

it("60 parallel reads by an agent delay no Nexus watch by 10 s", async () => {
  const server = createServer((request, response) => {
    const body = request.url?.startsWith("/functions/")
      ? { access_token: "t".repeat(40), organization_id: "org", expires_in: 3600 }
      : [];
    request.resume();
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // of a server that listens on TCP
  const schedules = Object.entries(WATCHES).map(
    ([name, seconds]) => `[jobs.${name}]\nschedule = "*/${seconds} * * * * *"\n`,
  );
  const installation = install(`
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]
base_url = "http://127.0.0.1:${port}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
mcp = false
${schedules.join("")}`);
  onTestFinished(installation.remove);
  const daemon = startDaemon(installation);
  onTestFinished(async () => {
    await daemon.end("SIGKILL");
  });
  await daemon.ready;
  const operator = async (path: string) => (await ask(installation.operatorSocket, path)).text;
  const successes = async () => {
    const { jobs } = JSON.parse(await operator("/v1/jobs"));
    return jobs
      .filter(({ name }: { name: string }) => name in WATCHES)
      .map(({ name, lastSuccessAt }: { name: keyof typeof WATCHES; lastSuccessAt: string | null }) => ({
        name,
        at: lastSuccessAt === null ? 0 : Date.parse(lastSuccessAt),
      }));
  };
  await until(async () => (await successes()).every(({ at }: { at: number }) => at > 0), "the first looks");

  let isOver = false;
  let answered = 0;
  const reader = async () => {
    while (!isOver) {
      const body = { operation: "nexus.orders.list", input: {} };
      await ask(installation.agentSocket, "/v1/reads", { method: "POST", body }).catch(() => {});
      answered += 1;
    }
  };
  const readers = Array.from({ length: 60 }, reader);
  const longest: Record<string, number> = {};
  for (const end = Date.now() + STORM_MS; Date.now() < end; ) {
    for (const { name, at } of await successes())
      longest[name] = Math.max(longest[name] ?? 0, (Date.now() - at) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  for (const [name, seconds] of Object.entries(WATCHES))
    expect(longest[name], JSON.stringify(longest)).toBeLessThan(seconds + 10);
  expect(answered, "agents are served as well").toBeGreaterThan(10);

  const figure = async (name: string, of: string) =>
    Number(new RegExp(`^${name}\\{.*class="${of}"\\} (\\S+)$`, "m").exec(await operator("/metrics"))?.[1]);
  expect(await figure("nexusd_budget_class_waited_seconds_total", "agent_reads")).toBeGreaterThan(10);
  expect(await figure("nexusd_budget_class_waited_seconds_total", "watches")).toBeLessThan(10);
  expect(await figure("nexusd_budget_class_used_requests", "watches")).toBeGreaterThan(0);
  await daemon.end("SIGKILL");
  isOver = true;
  await Promise.all(readers);
}, 120_000);

it("an operator can stop an approved message before it begins, and it is never sent", async () => {
  const { server, installation, id: session } = await startTight();
  const { propose } = createProposer(() => installation.agentSocket);
  const isIn = () => server.requests.some(({ path }) => path.includes("/messages"));
  await until(isIn, "the session to be joined");
  const ids: string[] = [];
  for (let n = 0; n < 40; n++)
    ids.push(await propose("messaging.messages.send", { session, text: `message ${n}` }));
  const last = ids.at(-1) ?? "";
  const nexusctl = (...args: string[]) =>
    runCli(["--json", ...args], {
      NEXUSD_AGENT_SOCKET: installation.agentSocket,
      NEXUSD_OPERATOR_SOCKET: installation.operatorSocket,
    });
  expect(JSON.parse((await nexusctl("writes", "show", last)).stdout).state).toBe("approved");
  const refused = await ask(installation.agentSocket, `/v1/writes/${last}/cancel`, { method: "POST" });
  expect(JSON.parse(refused.text).code).toBe("write_already_decided");

  // The command finds the operators' socket by itself.
  const stopped = await nexusctl("writes", "cancel", last);
  expect(JSON.parse(stopped.stdout).state).toBe("cancelled");
  const { rows } = JSON.parse((await nexusctl("audit", "--write", last)).stdout);
  expect(rows.at(-1)).toMatchObject({ action: "cancelled", actor: { via: "operator.sock" } });
  const page = await fetch(`${server.url}/v1/sessions/${session}/messages`, {
    headers: { "x-agent-id": "nexusd" },
  });
  expect(await page.text()).not.toContain("message 39");
});

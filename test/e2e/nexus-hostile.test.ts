// The whole daemon against a gateway gone mad: it stays up, reports that Nexus is unhealthy, makes no event of garbage,
// gives no credential away, and recovers when the gateway does.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { type Behaviour, cutAfter, endless, html, json, redirect } from "../support/http-server.ts";

const TOKEN = `eyJ${"a".repeat(20)}.${"b".repeat(40)}.${"c".repeat(20)}`;
const SECRETS = [TOKEN, SANDBOX_ENV.NEXUS_API_KEY, SANDBOX_ENV.NEXUS_ANON_KEY];

let gateway: Server;
let elsewhere: Server;
const lured: string[] = [];
let hostile: Behaviour[] = [];
let requests = 0;
let installation: Installation;
let daemon: RunningDaemon;

const listen = async (server: Server) => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeAll(async () => {
  elsewhere = createServer((request, response) => {
    lured.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
    response.writeHead(200, { "content-type": "application/json" }).end("[]");
  });
  const away = await listen(elsewhere);
  gateway = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const seen = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    if (request.url === "/functions/v1/agent-auth")
      return void json({ access_token: TOKEN, organization_id: "org-1", expires_in: 3600 })(
        response,
        seen,
        0,
      );
    const behaviour = hostile[requests++ % hostile.length];
    if (behaviour) return void behaviour(response, seen, 0);
    json(seen.method === "GET" ? [] : { ok: true })(response, seen, 0);
  });
  const origin = await listen(gateway);
  const said = SECRETS.join(" ");
  MADNESS.push(
    json([1, null]),
    redirect(`${away}/rest/v1/orders`, 307),
    json({ error: said, message: said, code: TOKEN, hint: said }, 400, { "x-sent": TOKEN }),
    json({ error: "internal", message: said }),
    json({ message: said }, 540),
    json("", 404),
    redirect(`${away}/`, 302),
    html(200),
    json({ code: "WORKER_LIMIT", message: said }, 546),
    cutAfter('[{"id":'),
    endless("[".repeat(50_000), { status: 500 }),
    redirect("//evil.example/", 301),
  );
  installation = install(`
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]
base_url = "${origin}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
requests_per_minute = 100000
[jobs.nexus-low-stock]\nschedule = "* * * * * *"
[jobs.nexus-pending-orders]\nschedule = "* * * * * *"
[approvals.policy]\n"nexus.calls.initiate" = "auto"
`);
  daemon = startDaemon(installation);
  await daemon.ready;
}, 60_000);

const MADNESS: Behaviour[] = [];

afterAll(async () => {
  await daemon?.end("SIGKILL");
  for (const server of [gateway, elsewhere]) {
    server?.closeAllConnections();
    server?.close();
  }
  installation?.remove();
});

const status = async () =>
  JSON.parse((await ask(installation.agentSocket, "/v1/status")).text).services.nexus;
const post = (path: string, body: unknown) => ask(installation.agentSocket, path, { method: "POST", body });

it("stays up, reports Nexus truthfully, and keeps its credentials", async () => {
  await until(async () => (await status()).state === "ok", "Nexus to be well");
  const before = (await readLog(installation.agentSocket)).length;
  const told: string[] = [];

  hostile = MADNESS;
  const mad = await until(async () => {
    const now = await status();
    return now.state !== "ok" && now;
  }, "the madness to be noticed");
  expect(mad.lastError.code).toMatch(/^\w+$/);
  for (let round = 0; round < MADNESS.length; round++) {
    for (const [operation, input] of [
      ["nexus.orders.list", {}],
      ["nexus.rest.select", { table: "items" }],
      ["nexus.mcp.read_resource", { uri: "nexus://organization/info" }],
      ["nexus.mcp.nexus_search", { query: "x" }],
    ]) {
      const { status: code, text } = await Promise.race([
        post("/v1/reads", { operation, input }),
        // A retried request, with its pauses, is not waited for.
        sleep(300, { status: 0, text: "" }),
      ]);
      told.push(text);
      expect(code, text).not.toBe(200);
    }
    const write = await post("/v1/writes", {
      operation: "nexus.calls.initiate",
      input: { phoneNumber: `+2010${10000 + round}` },
    });
    expect(write.status).toBe(202);
    const now = await status();
    expect(now.state).not.toBe("ok");
    expect((await ask(installation.agentSocket, "/v1/health")).status).toBe(200);
  }
  const writes = await until(async () => {
    const { text } = await ask(installation.agentSocket, "/v1/writes?limit=100");
    const { writes: all } = JSON.parse(text) as { writes: { state: string }[] };
    return all.every(({ state }) => ["failed", "unknown"].includes(state)) && text;
  }, "the writes to end, none of them as done");
  told.push(writes, (await ask(installation.operatorSocket, "/v1/audit")).text);

  hostile = [];
  const types = async () => (await readLog(installation.agentSocket)).slice(before).map(({ type }) => type);
  await until(
    async () => (await types()).includes("nexusd.service.recovered"),
    "Nexus to be well again",
    40_000,
  );
  expect((await status()).state).toBe("ok");
  expect(await types()).toContain("nexusd.service.degraded");
  expect((await types()).filter((type) => type.startsWith("nexusd.nexus."))).toEqual([]);
  told.push(JSON.stringify(await readLog(installation.agentSocket)));
  expect(lured).toEqual([]);
  expect(await daemon.end("SIGTERM")).toBe(0);
  for (const secret of SECRETS)
    for (const text of [...told, daemon.log()]) expect(text).not.toContain(secret);
}, 90_000);

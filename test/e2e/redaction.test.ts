// A service that repeats a credential, in any answer and any encoding: nothing of it is stored, served on agent.sock or
// logged.

import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { letters } from "../support/secrets.ts";

/** Of no known shape, except the agent key, which needs its prefix. */
const CREDENTIALS = {
  nex: `plain/${letters(20)}+=`,
  agent: `${SANDBOX_ENV.NEXUS_API_KEY.slice(0, 7)}${letters(30)}`,
  anon: letters(30),
  token: letters(40),
};
const known: string[] = Object.values(CREDENTIALS);

const formsOf = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  [...Buffer.from(secret)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  JSON.stringify(JSON.stringify({ key: secret })),
  ...["", "u", "us", "user:"].map((before) => Buffer.from(`${before}${secret}`).toString("base64")),
  Buffer.from(secret).toString("base64url"),
  Buffer.from(secret).toString("hex"),
  Buffer.from(secret).toString("hex").toUpperCase(),
  secret.replaceAll("/", "\\/"),
  // A truncated secret still reveals most of it.
  secret.slice(0, Math.ceil(secret.length * 0.7)),
  secret.slice(Math.floor(secret.length * 0.3)),
];
/** As JSON may escape it needlessly. */
const escaped = (json: string) =>
  known.reduce(
    (text, secret) =>
      text.replaceAll(secret, [...secret].map((char) => `\\u00${char.charCodeAt(0).toString(16)}`).join("")),
    json,
  );
const echo = () => `you sent ${known.flatMap(formsOf).join(" and ")}.`;

/** A server of one tool that looks something up and one that does something, and fails. */
const mcpAnswer = (method: string, params: { protocolVersion?: string; name?: string }, said: string) => {
  const tool = (name: string) => ({ name, description: said, inputSchema: { type: "object" } });
  const serverInfo = { name: "echo", version: "1" };
  const capabilities = { tools: {} };
  if (method === "initialize")
    return {
      result: { protocolVersion: params.protocolVersion, capabilities, serverInfo, instructions: said },
    };
  if (method === "tools/list") return { result: { tools: [tool("look"), tool("act")] } };
  if (method !== "tools/call") return { error: { code: -32_601, message: said, data: { said } } };
  const content = [{ type: "text", text: said }];
  const structuredContent = { [CREDENTIALS.token]: said };
  return { result: { content, structuredContent, isError: params.name === "act" } };
};

let answers = 0;
let messaging: MessagingServer;
let server: Server;
let installation: Installation;
let daemon: RunningDaemon;
let sessionId: string;

beforeAll(async () => {
  server = createServer(async (incoming, response) => {
    const { method, url = "" } = incoming;
    const sent = (await incoming.setEncoding("utf8").toArray()).join("");
    const said = echo();
    const answer = (status: number, body: unknown) =>
      response
        .writeHead(status, {
          ...{
            "content-type": "application/json",
            "x-echo": known.join(),
            "sb-error-code": CREDENTIALS.token,
          },
          ...{ "www-authenticate": `Bearer realm="${known.join(" ")}"`, etag: `"${CREDENTIALS.agent}"` },
        })
        // Every second one in an unusual notation.
        .end(++answers % 2 === 0 ? JSON.stringify(body) : escaped(JSON.stringify(body)));
    if (url === "/functions/v1/agent-auth")
      return answer(200, { access_token: CREDENTIALS.token, organization_id: "org", expires_in: 3600 });
    if (url === "/functions/v1/mcp-server") {
      const { id, method: asked, params } = method === "POST" ? JSON.parse(sent) : {};
      if (id === undefined) return response.writeHead(method === "POST" ? 202 : 405).end();
      return answer(200, { jsonrpc: "2.0", id, ...mcpAnswer(asked, params, said) });
    }
    if (url.endsWith("/insights/stream")) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const insight = { type: "risk", content: said, [CREDENTIALS.nex]: true, target: { hint: said } };
      const batch = { workspace: { slug: said }, insights: [insight] };
      return response.write(`event: insight.batch.created\ndata: ${JSON.stringify(batch)}\n\n`);
    }
    if (url.includes("/insights")) return answer(200, { insights: [] });
    const failure = {
      error: CREDENTIALS.nex,
      code: CREDENTIALS.anon,
      message: said,
      details: [{ path: said }],
    };
    if (url.startsWith("/rest/v1/stock")) return answer(400, { ...failure, hint: said });
    if (method === "GET")
      return answer(200, url.startsWith("/rest/") ? [{ id: said, note: said }] : { data: [{ name: said }] });
    return answer(400, failure);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a server that listens on TCP has one
  messaging = await startMessaging({ rateLimit: null });
  sessionId = messaging.createSession({ ttl: 3600 });
  installation = install(`
[messaging]
base_url = "${messaging.url}"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${sessionId}"
[nex]
base_url = "http://127.0.0.1:${port}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
base_url = "http://127.0.0.1:${port}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
mcp = true
mcp_reads = ["look"]
[jobs.nexus-low-stock]
schedule = "* * * * * *"
[approvals.policy]
"nex.*" = "auto"
"messaging.*" = "auto"
"nexus.*" = "auto"
`);
  const { nex, agent, anon } = CREDENTIALS;
  daemon = startDaemon(installation, { NEX_API_KEY: nex, NEXUS_API_KEY: agent, NEXUS_ANON_KEY: anon });
  await daemon.ready;
});
afterAll(async () => {
  await daemon?.end("SIGKILL");
  server?.closeAllConnections();
  server?.close();
  await messaging?.close();
  installation?.remove();
});

const get = async (path: string): Promise<string> => (await ask(installation.agentSocket, path)).text;
const post = async (path: string, body: unknown): Promise<string> =>
  (await ask(installation.agentSocket, path, { method: "POST", body })).text;

/** The contents of the event stream from its start until this has arrived. */
const streamed = (wanted: RegExp): Promise<string> =>
  new Promise((resolve, reject) => {
    const path = "/v1/events/stream?after=0";
    const headers = { host: "localhost" };
    const outgoing = request({ socketPath: installation.agentSocket, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (!wanted.test(text)) return;
        resolve(text);
        response.destroy();
      });
      response.on("end", () => reject(new Error(`the stream ended: ${text}`)));
    });
    outgoing.on("error", reject).end();
  });

test("a credential that a service repeats is never stored, served or logged", async () => {
  const db = () => new Database(`${installation.dataDir}/nexusd.db`, { readonly: true });
  const sessionKey = await until(() => {
    const open = db();
    const found = open.prepare("SELECT value FROM secrets WHERE name LIKE 'messaging.key:%'").pluck().get();
    open.close();
    return typeof found === "string" && found;
  }, "the key of the session");
  known.push(sessionKey);
  messaging.post(sessionId, "peer", { text: echo(), json: { [sessionKey]: [echo()] } });

  const input = { objectSlug: "company", attributes: { name: "somebody" } };
  const served = [await post("/v1/writes", { operation: "nex.records.create", input })];
  const { id } = JSON.parse(served[0] ?? "");
  const operations = "/v1/operations?service=nexus";
  await until(async () => /nexus\.mcp\.act/.test(await get(operations)), "the tools");
  served.push(await get(operations), await post("/v1/writes", { operation: "nexus.mcp.act", input: {} }));
  const { id: mcpId } = JSON.parse(served.at(-1) ?? "");
  const looked = await post("/v1/reads", { operation: "nexus.mcp.look", input: {} });
  expect(looked).toContain("you sent");
  served.push(
    looked,
    await post("/v1/reads", { operation: "nex.objects.list", input: {} }),
    await post("/v1/reads", { operation: "nex.context.ask", input: { query: "who" } }),
    await post("/v1/reads", { operation: "nexus.orders.list", input: {} }),
    await post("/v1/reads", { operation: "messaging.messages.list", input: { session: sessionId } }),
  );
  await until(async () => /"state":"failed"/.test(await get(`/v1/writes/${id}`)), "the write to fail");
  await until(async () => /"failures":[1-9]/.test(await get("/v1/jobs")), "the watch to fail");
  await until(async () => /"state":"failed"/.test(await get(`/v1/writes/${mcpId}`)), "the tool to fail");
  await until(async () => /you sent/.test(await get("/v1/nex/insights")), "the insight");
  await until(
    async () => /messaging.message.received/.test(await get("/v1/events?limit=1000")),
    "the message",
  );
  served.push(await streamed(/messaging.message.received/));
  for (const path of [
    ...[
      `/v1/writes/${id}`,
      `/v1/writes/${mcpId}`,
      operations,
      "/v1/writes",
      "/v1/events?limit=1000",
      "/v1/status",
      "/v1/health",
      "/v1/jobs",
    ],
    ...["/v1/nex/insights", "/v1/messaging/sessions", `/v1/messaging/sessions/${sessionId}/messages`],
    ...[
      "/v1/nexus/stock/low",
      "/v1/nexus/orders/pending",
      "/v1/operations",
      "/v1/consumers",
      "/openapi.json",
    ],
    `/v1/nex/insights?text=${encodeURIComponent(known[0] ?? "")}`,
  ])
    served.push(await get(path));
  for (const path of ["/metrics", "/v1/audit?limit=1000", "/v1/status", `/v1/writes/${id}`])
    served.push((await ask(installation.operatorSocket, path)).text);
  expect(served.filter((text) => text.includes("‹redacted›")).length).toBeGreaterThan(5);

  const open = db();
  for (const table of ["events", "writes", "audit", "records", "cursors"])
    served.push(JSON.stringify(open.prepare(`SELECT * FROM ${table}`).all()));
  open.close();
  served.push(daemon.log());
  for (const secret of known)
    for (const form of [...formsOf(secret), JSON.stringify(secret).slice(1, -1)])
      for (const text of served) {
        const at = text.toLowerCase().indexOf(form.toLowerCase());
        expect(at < 0 ? "" : text.slice(Math.max(0, at - 80), at + 10), form).toBe("");
      }
});

test("secrets that only the database knows after a restart, session keys and the token, are removed as well", async () => {
  await daemon.end("SIGTERM");
  const { nex, agent, anon } = CREDENTIALS;
  daemon = startDaemon(installation, { NEX_API_KEY: nex, NEXUS_API_KEY: agent, NEXUS_ANON_KEY: anon });
  await daemon.ready;
  // The token is shown to no one before it is used.
  await until(async () => /"failures":[1-9]/.test(await get("/v1/jobs")), "a request with the token");
  messaging.post(sessionId, "peer", { text: `after the restart: ${known.join(" ")}` });
  const page = await until(async () => {
    const text = await get("/v1/events?limit=1000");
    return text.includes("after the restart") && text;
  }, "the message");
  expect(page).toContain(`after the restart: ${known.map(() => "‹redacted›").join(" ")}`);
});

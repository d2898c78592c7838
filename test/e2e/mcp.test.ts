// The tools of an MCP server through the whole daemon: the official server-everything behind a gateway of Nexus's kind.

import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { runCli } from "../support/cli.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";

const EVERYTHING = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js",
);
const TOKEN = `eyJ${"a".repeat(20)}.${"b".repeat(40)}.${"c".repeat(20)}`;

let everything: ChildProcess;
let gateway: Server;
let installation: Installation;
let daemon: RunningDaemon;
/** A test's view of the requests to the MCP server. */
let isCut = false;
const calls: { authorization: string | undefined; body: string }[] = [];

const freePort = () =>
  new Promise<number>((resolve) => {
    const probe = createTcpServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

beforeAll(async () => {
  const port = await freePort();
  everything = spawn(process.execPath, [EVERYTHING, "streamableHttp"], {
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [everything.stdout, everything.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  await until(
    () => said.includes("listening"),
    () => `the server to listen: ${said}`,
  );

  gateway = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (request.url === "/functions/v1/agent-auth")
      return void answer(200, { access_token: TOKEN, organization_id: "org-1", expires_in: 3600 });
    if (request.url !== "/functions/v1/mcp-server") return void answer(404, { message: "no Route matched" });
    const { authorization } = request.headers;
    if (body.includes('"tools/call"')) calls.push({ authorization, body });
    const forwarded = ["accept", "content-type", "mcp-session-id", "mcp-protocol-version"].flatMap((name) => {
      const value = request.headers[name];
      return typeof value === "string" ? [[name, value] as [string, string]] : [];
    });
    const upstream = await fetch(`http://127.0.0.1:${port}/mcp`, {
      method: request.method ?? "GET",
      headers: forwarded,
      ...(request.method === "POST" && { body }),
    });
    const text = await upstream.text();
    if (isCut && body.includes('"tools/call"')) {
      request.socket.destroy();
      return;
    }
    response.writeHead(upstream.status, Object.fromEntries(upstream.headers)).end(text);
  });
  await new Promise<void>((resolve) => gateway.listen(0, "127.0.0.1", resolve));
  installation = install(`
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]
base_url = "http://127.0.0.1:${(gateway.address() as AddressInfo).port}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
mcp_reads = ["echo"]
[jobs.nexus-low-stock]\nenabled = false
[jobs.nexus-pending-orders]\nenabled = false
`);
  daemon = startDaemon(installation);
  await daemon.ready;
}, 60_000);

afterAll(async () => {
  await daemon?.end("SIGKILL");
  everything?.kill("SIGKILL");
  gateway?.closeAllConnections();
  gateway?.close();
  installation?.remove();
});

const nexusctl = (...args: string[]) => runCli(["--socket", installation.agentSocket, ...args]);
const post = async (socket: string, path: string, body: unknown) => {
  const { status, text } = await ask(socket, path, { method: "POST", body });
  return { status, answer: JSON.parse(text) };
};
const propose = (operation: string, input: object, more: object = {}) =>
  post(installation.agentSocket, "/v1/writes", { operation, input, ...more });
const approve = ({ id, digest }: { id: string; digest: string }) =>
  post(installation.operatorSocket, `/v1/writes/${id}/approve`, { digest });
const settled = (id: string) =>
  until(async () => {
    const write = JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);
    return ["succeeded", "failed", "unknown"].includes(write.state) && write;
  }, "the end of the write");

describe("the official server-everything", () => {
  it("has its configured read in nexusctl", async () => {
    const { stdout, code } = await nexusctl("read", "nexus.mcp.echo", "message=hi");
    expect([code, JSON.parse(stdout).output]).toEqual([0, { content: [{ type: "text", text: "Echo: hi" }] }]);
    expect(calls[0]?.authorization).toBe(`Bearer ${TOKEN}`);
    const wrong = await nexusctl("read", "nexus.mcp.echo", "--input", "{}");
    expect([wrong.code, JSON.parse(wrong.stdout)]).toMatchObject([1, { code: "invalid_input" }]);
  });

  it("has every other tool as a write that waits for an operator", async () => {
    const { stdout } = await nexusctl("operations", "--json", "--service", "nexus");
    const tools = (JSON.parse(stdout) as { name: string; effect: string; approval: string }[]).filter(
      ({ name }) => name.startsWith("nexus.mcp."),
    );
    expect(tools.length).toBeGreaterThan(5);
    for (const { name, effect, approval } of tools)
      expect([effect, approval], name).toEqual(
        ["nexus.mcp.echo", "nexus.mcp.read_resource"].includes(name) ? ["read", null] : ["write", "operator"],
      );
    const refused = await nexusctl("read", "nexus.mcp.get-sum", "a=1", "b=2");
    expect(JSON.parse(refused.stdout)).toMatchObject({ code: "not_a_read" });
  });

  it("is called once, with exactly the body of the preview", async () => {
    const before = calls.length;
    const { status, answer } = await propose("nexus.mcp.get-sum", { a: 2, b: 3 });
    expect([status, calls.length]).toEqual([202, before]);
    expect(answer.preview).toMatchObject({
      method: "POST",
      url: expect.stringMatching(/\/functions\/v1\/mcp-server$/),
    });
    expect(JSON.parse(answer.preview.body)).toMatchObject({
      method: "tools/call",
      params: { name: "get-sum", arguments: { a: 2, b: 3 } },
    });
    const { text } = await ask(installation.operatorSocket, `/v1/writes/${answer.id}`);
    expect(JSON.parse(text).previewText).toContain("‹session, where the server keeps one›");
    await approve(answer);
    expect(await settled(answer.id)).toMatchObject({
      state: "succeeded",
      result: { output: { content: [{ text: expect.stringContaining("5") }] } },
    });
    expect(calls.slice(before).map(({ body }) => body)).toEqual([answer.preview.body]);
  });

  it("leaves a write whose answer was lost as unknown, and does not send it again", async () => {
    const before = calls.length;
    const { answer } = await propose("nexus.mcp.get-sum", { a: 4, b: 5 });
    isCut = true;
    await approve(answer);
    const write = await settled(answer.id);
    isCut = false;
    expect(write).toMatchObject({
      state: "unknown",
      attempts: 1,
      result: { error: { code: "connection_lost" } },
    });
    expect(write.result.remedy).toMatch(/Look in Nexus/);
    expect(calls.length - before).toBe(1);
  });

  it("keeps its tools over a restart, and writes with them can be approved afterwards", async () => {
    const { answer } = await propose("nexus.mcp.get-sum", { a: 6, b: 7 });
    await daemon.end("SIGKILL");
    daemon = startDaemon(installation);
    await daemon.ready;
    await approve(answer);
    expect((await settled(answer.id)).state).toBe("succeeded");
  });

  it("leaves no token in the daemon's logs or in unencrypted storage", async () => {
    expect(daemon.log()).not.toContain(TOKEN);
    const { text } = await ask(installation.agentSocket, "/v1/writes?limit=100");
    for (const secret of [TOKEN, ...Object.values(SANDBOX_ENV)]) expect(text).not.toContain(secret);
  });
});

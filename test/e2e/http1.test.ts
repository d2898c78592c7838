// The whole daemon with a server that prefers HTTP/2.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { ask, install, startDaemon, until } from "../support/daemon.ts";
import { serveHttp2 } from "../support/http2-server.ts";

const key = (name: string, id: string) => `${name} = { source = "env", id = "${id}" }\n`;

test("every request of the daemon uses HTTP/1.1, including the stream, MCP and the key exchange", async () => {
  const server = await serveHttp2(
    (response, { path, body }) => {
      const json = (value: unknown) =>
        void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
      if (path === "/api/developers/v1/insights/stream") {
        response.writeHead(200, { "content-type": "text/event-stream" });
        return void response.write(": connected\n\n");
      }
      if (path.startsWith("/api/")) return json({ insights: [] });
      if (path === "/health") return json({ uptime: 1 });
      if (path === "/functions/v1/agent-auth")
        return json({ access_token: "made-up", organization_id: "org-1", expires_in: 3600 });
      if (path !== "/functions/v1/mcp-server") return json([]);
      const { id = null, method } = JSON.parse(body || "{}");
      const serverInfo = { name: "scripted", version: "1" };
      const hello = { protocolVersion: "2025-03-26", capabilities: { tools: {} }, serverInfo };
      json({ jsonrpc: "2.0", id, result: method === "initialize" ? hello : { tools: [] } });
    },
    { allowHTTP1: true, maxConcurrentStreams: 1 },
  );
  const base = `base_url = "${server.origin}"\n`;
  const installation = install(
    `[messaging]\n${base}[[messaging.sessions]]\nid = "${"a".repeat(48)}"\nalias = "shop"\n` +
      `[nex]\n${base}${key("api_key", "NEX_API_KEY")}` +
      `[nexus]\n${base}${key("api_key", "NEXUS_API_KEY")}${key("anon_key", "NEXUS_ANON_KEY")}`,
  );
  onTestFinished(installation.remove);
  const trusted = join(installation.directory, "ca.pem");
  writeFileSync(trusted, server.certificate);
  const daemon = startDaemon(installation, { ...SANDBOX_ENV, NODE_EXTRA_CA_CERTS: trusted });
  onTestFinished(() => void daemon.process.kill("SIGKILL"));
  await daemon.ready;
  await ask(installation.agentSocket, "/v1/operations?service=nexus");
  const asked = (part: string) => server.requests.some(({ path }) => path.includes(part));
  const parts = ["/insights/stream", "/rest/v1/", "/agent-auth", "/mcp-server", "/v1/sessions/"];
  await until(
    () => parts.every(asked),
    () => `each service to be asked: ${server.requests.map(({ path }) => path)}\n${daemon.log()}`,
  );
  expect(server.requests.filter(({ httpVersion }) => httpVersion !== "1.1")).toEqual([]);
  expect(await daemon.end("SIGTERM")).toBe(0);
});

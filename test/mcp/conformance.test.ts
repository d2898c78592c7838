// The official conformance suite of MCP against our server. The suite speaks HTTP alone, so that the server is put behind
// the official HTTP transport here. Left out are the scenarios for tools, prompts and resources of fixed names that only a
// server made for the suite has, and those about HTTP itself.

import { execFile } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { createMcpServer } from "../../src/mcp/server.ts";
import { message, startTestControl } from "../support/control.ts";
import { temporaryDirectory } from "../support/store.ts";

const SUITE = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json")),
  "dist/index.js",
);

let url: string;
const cleaning: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const control = await startTestControl({ cleanup: (work) => cleaning.push(work) });
  await control.append(message());
  const client = createClient({ agentSocket: control.sockets.agent });
  await client.consumers.create("me", { from: "oldest" });

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const server = createMcpServer({
      ...{ client, consumer: "me", version: "1" },
      watch: { follow: () => {}, unfollow: () => {} },
    });
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    const { method = "GET", headers } = request;
    const asked = new Request(new URL(request.url ?? "/", url), {
      ...{ method, headers: headers as Record<string, string> }, // the suite sends none twice
      ...(body !== "" && { body }),
    });
    const given = await transport.handleRequest(asked);
    response.writeHead(given.status, Object.fromEntries(given.headers));
    response.end(await given.text());
  };
  const http = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
  await new Promise((resolve) => http.once("listening", resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  cleaning.push(
    () => new Promise((resolve) => http.close(resolve)),
    async () => http.closeAllConnections(),
  );
});
afterAll(async () => {
  for (const clean of cleaning.reverse()) await clean();
});

test.each(["server-initialize", "ping", "tools-list", "resources-list"])(
  "the server passes the scenario %s",
  async (scenario) => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [SUITE, "server", "--url", url, "--scenario", scenario],
      // It writes its report where it runs.
      { cwd: temporaryDirectory(), timeout: 60_000 },
    ).catch((error: { stdout: string; stderr: string }) => error);
    expect(stdout + stderr).toMatch(/Passed: [1-9]\d*\/\d+, 0 failed/);
  },
  70_000,
);

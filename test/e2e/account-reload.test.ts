// A write approved for one account is not sent with another: a key changed by a real reload, and a token that only
// later belongs to another one.

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { letters } from "../support/secrets.ts";

const ORDER = "0c000000-0000-4000-8000-000000000001";
const company = (name: string) => ({ objectSlug: "company", attributes: { name } });
const CREATE = { operation: "nex.records.create", input: company("Acme") };
const [OTHER, NEW] = [company("Other"), company("New")];
const SHIP = {
  operation: "nexus.orders.update_status",
  input: { orderId: ORDER, orderStatus: "shipped" },
};

let directory: string;
let installation: Installation;
let daemon: RunningDaemon;
let server: Server;
let port: number;
/** "POST /path", of what reached the server. */
let seen: string[];
/** Tokens issued by the exchange, the newest last; only that one is valid. */
let tokens: string[];

const answer = async (request: IncomingMessage, response: ServerResponse) => {
  const { method, url = "", headers } = request;
  const [path = ""] = url.split("?", 1);
  for await (const _ of request);
  seen.push(`${method} ${path}`);
  const say = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (path === "/functions/v1/agent-auth") {
    const token = letters(40);
    tokens.push(token);
    return say(200, { access_token: token, organization_id: "org", expires_in: 3600 });
  }
  if (path.endsWith("/insights/stream"))
    return response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
  if (path.startsWith("/rest/") && headers.authorization !== `Bearer ${tokens.at(-1)}`)
    return say(401, { code: "PGRST301", message: "JWT expired" });
  if (path.startsWith("/rest/"))
    return say(200, [{ id: ORDER, order_number: "N-1", order_status: "pending" }]);
  return say(200, { id: "1", data: [] });
};
const listen = async (at: number) => {
  server = createServer(answer).listen(at, "127.0.0.1");
  await once(server, "listening");
};
const shut = () => {
  server.close();
  server.closeAllConnections();
};

const put = (name: string, key: string) => writeFileSync(join(directory, name), key, { mode: 0o600 });
const secret = (name: string) => `{ source = "file", id = "${join(directory, name)}" }`;

beforeEach(async () => {
  seen = [];
  tokens = [];
  await listen(0);
  port = (server.address() as AddressInfo).port; // of a server that listens on TCP
  directory = mkdtempSync(join(tmpdir(), "nexusd-keys-"));
  for (const name of ["nex", "anon"]) put(name, letters(30));
  put("agent", SANDBOX_ENV.NEXUS_API_KEY);
  installation = install(`
[messaging]
enabled = false
[nex]
base_url = "http://127.0.0.1:${port}"
api_key = ${secret("nex")}
[nexus]
base_url = "http://127.0.0.1:${port}"
api_key = ${secret("agent")}
anon_key = ${secret("anon")}
mcp = false
[jobs.nexus-low-stock]
enabled = false
[jobs.nexus-pending-orders]
enabled = false
[jobs.nex-notifications]
enabled = false
`);
  daemon = startDaemon(installation, {});
  await daemon.ready;
});
afterEach(async () => {
  await daemon?.end("SIGKILL");
  shut();
  installation?.remove();
  rmSync(directory, { recursive: true, force: true });
});

const post = async (socket: string, path: string, body: unknown) => {
  const { status, text } = await ask(socket, path, { method: "POST", body });
  return { status, answer: JSON.parse(text) };
};
const propose = async (proposal: unknown) => {
  const { status, answer } = await post(installation.agentSocket, "/v1/writes", proposal);
  expect(status, JSON.stringify(answer)).toBe(202);
  return answer;
};
const approve = ({ id, digest }: { id: string; digest: string }) =>
  post(installation.operatorSocket, `/v1/writes/${id}/approve`, { digest });
const write = async ({ id }: { id: string }) =>
  JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);
const ended = (proposed: { id: string }) =>
  until(async () => {
    const now = await write(proposed);
    return ["succeeded", "failed", "unknown"].includes(now.state) && now;
  }, "the end of the write");

async function reload(): Promise<void> {
  const reloads = () => daemon.log().split("configuration reloaded").length - 1;
  const before = reloads();
  daemon.process.kill("SIGHUP");
  await until(() => reloads() > before, "the reload");
}

test("a key changed by a reload makes an approved write stale: it is not sent, and a proposed one cannot be approved", async () => {
  const [first, second] = [await propose(CREATE), await propose({ ...CREATE, input: OTHER })];
  // Approved, but it cannot begin.
  shut();
  expect((await approve(first)).status).toBe(200);
  await until(() => /connection_refused/.test(daemon.log()), "an attempt that did not reach Nex");
  expect(["approved", "executing"]).toContain((await write(first)).state);

  put("nex", letters(30));
  await reload();
  seen = [];
  await listen(port);
  const { state, result, attempts } = await ended(first);
  expect([state, result.error.code, attempts]).toEqual(["failed", "stale", 0]);
  expect(result.error.message).toMatch(/^Nothing was sent: since the proposal the key of nex changed/);
  const refused = await approve(second);
  expect([refused.status, refused.answer.code]).toEqual([409, "stale"]);
  expect(refused.answer.detail).toContain("nex.api_key");
  expect(seen.filter((one) => one.startsWith("POST"))).toEqual([]);
  expect((await write(second)).state).toBe("proposed");

  // A proposal for the new account is sent.
  const again = await propose({ ...CREATE, input: NEW });
  await approve(again);
  expect((await ended(again)).state).toBe("succeeded");
  expect(seen.filter((one) => one.startsWith("POST"))).toHaveLength(1);
});

test("a new token, or a reload with the same key, makes nothing stale", async () => {
  const proposed = await propose(SHIP);
  expect(tokens).toHaveLength(1);
  // The server no longer accepts the old token.
  tokens.push("of somebody else");
  put("anon", letters(30));
  await reload();
  expect((await approve(proposed)).status).toBe(200);
  const { state, result } = await ended(proposed);
  expect([state, result.error]).toEqual(["succeeded", undefined]);
  expect(tokens.length).toBeGreaterThan(2);
  expect(seen.filter((one) => one.startsWith("PATCH"))).toHaveLength(1);
});

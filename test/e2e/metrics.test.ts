// The metrics of the real daemon on its port, as the counted events happen.

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { type NexServer, startNex } from "../../sandbox/nex.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { parseExposition, sampleOf } from "../support/exposition.ts";

const NEX_KEY = "sk-a-key-of-nobody";

let messaging: MessagingServer;
let nex: NexServer;
let installation: Installation;
let daemon: RunningDaemon;
let port: number;

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
};

beforeAll(async () => {
  messaging = await startMessaging({ rateLimit: null });
  nex = await startNex({ apiKey: NEX_KEY });
  nex.emit([{ content: "MARKreplayed" }]);
  port = await freePort();
  installation = install(`
[control]
metrics_port = ${port}
[messaging]
base_url = "${messaging.url}"
agent_id = "me-the-agent"
requests_per_minute = 600
[nex]
base_url = "${nex.url}"
api_key = { source = "env", id = "NEX_KEY" }
[nexus]
enabled = false
`);
  daemon = startDaemon(installation, { NEX_KEY });
  await daemon.ready;
});
afterAll(async () => {
  daemon?.process.kill("SIGKILL");
  await Promise.all([messaging?.close(), nex?.close()]);
  installation?.remove();
});

const text = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const scrape = async () => parseExposition(await text());
const value = async (name: string, labels?: Record<string, string>) =>
  sampleOf(await scrape(), name, labels) ?? 0;
const post = async (path: string, body: unknown) =>
  JSON.parse((await ask(installation.agentSocket, path, { method: "POST", body })).text);

const write = async (id: string) =>
  JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);
const ended = (id: string) =>
  until(async () => {
    const now = await write(id);
    return ["succeeded", "failed", "unknown"].includes(now.state) && now;
  }, "the end of the write");

test("messages are counted as they arrive, and so are the polls, their intervals and the budget that they use", async () => {
  const sessionId = messaging.createSession({ ttl: 600 });
  const type = "messaging.message.received";
  const { id } = await post("/v1/writes", {
    operation: "messaging.sessions.join",
    input: { session: sessionId },
  });
  expect(await ended(id)).toMatchObject({ state: "succeeded" });
  expect(await value("nexusd_events_total", { type })).toBe(0);
  const before = await scrape();
  messaging.post(sessionId, "MARKpeer", { text: "MARKtext" });
  await until(async () => (await value("nexusd_events_total", { type })) === 1, "the message");
  await until(
    async () => (await value("nexusd_messaging_poll_gap_seconds_count")) > 2,
    "more polls of the session",
  );

  const families = await scrape();
  const grown = (name: string, labels?: Record<string, string>) =>
    (sampleOf(families, name, labels) ?? 0) - (sampleOf(before, name, labels) ?? 0);
  const polls = { name: "messaging-poll", service: "messaging", outcome: "succeeded" };
  expect(grown("nexusd_job_runs_total", polls)).toBeGreaterThanOrEqual(1);
  const requests = { service: "messaging", outcome: "succeeded" };
  expect(grown("nexusd_http_requests_total", requests)).toBeGreaterThanOrEqual(1);
  const budget = { service: "messaging", server: messaging.url };
  const used = sampleOf(families, "nexusd_budget_used_requests", budget) ?? 0;
  // One more may be under way.
  const underWay = used - (sampleOf(families, "nexusd_http_requests_total", requests) ?? 0);
  expect([0, 1]).toContain(underWay);
  expect(sampleOf(families, "nexusd_budget_limit_requests", budget)).toBe(600);
  expect(sampleOf(families, "nexusd_messaging_sessions", { state: "joined" })).toBe(1);
  expect(sampleOf(families, "nexusd_service_state", { service: "messaging", state: "ok" })).toBe(1);
  // Nexus is disabled: nothing is sent there.
  expect(sampleOf(families, "nexusd_budget_used_requests", { service: "nexus" })).toBeUndefined();

  for (const secret of [sessionId, "me-the-agent", "MARKpeer", "MARKtext", NEX_KEY])
    expect(await text()).not.toContain(secret);
});

test("a live insight is counted with its delay, and the stream is live until it is lost", async () => {
  const state = (name: string) => value("nexusd_nex_stream_state", { state: name });
  await until(async () => (await state("live")) === 1, "the stream");
  const name = "nexusd_nex_insight_delay_seconds";
  await until(
    async () => (await value("nexusd_events_total", { type: "nex.insight.received" })) === 1,
    "the insight that is sent again on connect",
  );
  expect(await value(`${name}_count`)).toBe(0);
  const before = await scrape();
  nex.emit([{ content: "MARKinsight", created_at: new Date(Date.now() - 40_000).toISOString() }]);
  await until(async () => (await value(`${name}_count`)) === 1, "the insight");
  const families = await scrape();
  const type = { type: "nex.insight.received" };
  expect(sampleOf(families, "nexusd_events_total", type)).toBe(
    (sampleOf(before, "nexusd_events_total", type) ?? 0) + 1,
  );
  // Nex's clock is known by the Date of its answers, which has no fractions.
  const delay = sampleOf(families, `${name}_sum`);
  expect(delay).toBeGreaterThan(38);
  expect(delay).toBeLessThan(42);
  expect(await value("nexusd_nex_covered_until_timestamp_seconds")).toBeCloseTo(Date.now() / 1000, -2);
  expect(await text()).not.toContain("MARKinsight");

  await nex.close();
  nex.cutStreams();
  await until(async () => (await state("live")) === 0, "the loss of the stream");
  expect((await state("recovering")) + (await state("polling"))).toBe(1);
  await until(
    async () => (await value("nexusd_http_requests_total", { service: "nex", outcome: "network" })) > 0,
    "an attempt that fails",
  );
});

test("a proposed write counts as waiting, and ages, until it is decided", async () => {
  const waits = () => value("nexusd_writes", { state: "proposed" });
  const age = () => value("nexusd_write_oldest_age_seconds", { state: "proposed" });
  expect([await waits(), await age()]).toEqual([0, 0]);
  const input = { content: "MARKcontent" };
  const { id, digest } = await post("/v1/writes", {
    operation: "nex.context.add_text",
    input,
    agent: "MARKagent",
  });
  expect(await waits()).toBe(1);
  const young = await age();
  await until(async () => (await age()) > young, "a greater age");
  const body = { reason: "MARKreason" };
  await ask(installation.operatorSocket, `/v1/writes/${id}/reject`, { method: "POST", body });
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect([await waits(), await age()]).toEqual([0, 0]);
  expect(await value("nexusd_writes", { state: "rejected" })).toBe(1);
  expect(await value("nexusd_events_total", { type: "write.rejected" })).toBe(1);
  expect(await text()).not.toContain("MARK");
});

test("another port needs a restart, and until then the old one works", async () => {
  const toml = readFileSync(installation.configPath, "utf8");
  writeFileSync(installation.configPath, toml.replace(`metrics_port = ${port}`, "metrics_port = 65535"));
  const before = await value("nexusd_job_runs_total", { name: "messaging-poll", outcome: "succeeded" });
  const { text: answer } = await ask(installation.operatorSocket, "/v1/reload", { method: "POST" });
  expect(JSON.parse(answer)).toEqual({ applied: [], restartNeeded: ["control.metrics_port"] });
  // It resets no counter.
  const name = "nexusd_messaging_poll_gap_seconds_count";
  expect(
    await value("nexusd_job_runs_total", { name: "messaging-poll", outcome: "succeeded" }),
  ).toBeGreaterThanOrEqual(before);
  expect(await value(name)).toBeGreaterThan(2);
});

test("a disabled service has no growing ages, and triggers no alert", async () => {
  const toml = readFileSync(installation.configPath, "utf8");
  writeFileSync(installation.configPath, toml.replace("[messaging]", "[messaging]\nenabled = false"));
  expect(await value("nexusd_messaging_sessions", { state: "joined" })).toBe(1);
  await ask(installation.operatorSocket, "/v1/reload", { method: "POST" });
  const families = await scrape();
  expect(sampleOf(families, "nexusd_messaging_sessions", { state: "joined" })).toBe(0);
  expect(sampleOf(families, "nexusd_messaging_poll_age_max_seconds")).toBe(0);
  expect(sampleOf(families, "nexusd_budget_used_requests", { service: "messaging" })).toBeUndefined();
  expect(sampleOf(families, "nexusd_service_state", { service: "messaging", state: "disabled" })).toBe(1);
  expect(sampleOf(families, "nexusd_job_state", { name: "messaging-poll", state: "disabled" })).toBe(1);
});

test("a port in use prevents the start, and the error says where and what to do", async () => {
  const disabled = "[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n";
  const second = install(`[control]\nmetrics_port = ${port}\n${disabled}`);
  const other = startDaemon(second);
  onTestFinished(() => {
    other.process.kill("SIGKILL");
    second.remove();
  });
  expect(await other.ended).toBe(1);
  expect(other.log()).toContain(
    `nexusd cannot start: 127.0.0.1:${port} (control.metrics_port): another process listens there; stop it, or name another port`,
  );
});

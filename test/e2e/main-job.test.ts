// The whole thread on the sandbox: three services, the real daemon, one log, one socket, and no secret anywhere.

import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { SANDBOX_ENV, SANDBOX_SESSION_ID } from "../../sandbox/args.ts";
import { type Sandbox, startSandbox } from "../../sandbox/servers.ts";
import { EVENTS, type EventName } from "../../src/contract/events.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";

let sandbox: Sandbox;
let installation: Installation;
let daemon: RunningDaemon;
const logs: string[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ ports: { messaging: 0, nex: 0, nexus: 0 }, quietLife: false });
  await sandbox.nexus.ready;
  installation = install(`
[messaging]
base_url = "${sandbox.messaging.url}"
[[messaging.sessions]]
id = "${SANDBOX_SESSION_ID}"
alias = "workshop"
[nex]
base_url = "${sandbox.nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
base_url = "${sandbox.nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
[jobs.nexus-low-stock]
schedule = "*/2 * * * * *"
[jobs.nexus-pending-orders]
schedule = "*/2 * * * * *"
overdue_after = "4s"
`);
  daemon = startDaemon(installation);
  await daemon.ready;
});

afterAll(async () => {
  daemon?.process.kill("SIGKILL");
  await sandbox?.close();
  installation?.remove();
});

const status = async () => JSON.parse((await ask(installation.agentSocket, "/v1/status")).text);

describe("the main job", () => {
  it("brings events of all four kinds within 15 seconds of the start", async () => {
    const kinds = [
      "nexusd.messaging.message.received",
      "nexusd.nex.insight.received",
      "nexusd.nexus.stock.low",
      "nexusd.nexus.order.pending",
    ];
    await until(
      async () => {
        const seen = new Set((await readLog(installation.agentSocket)).map(({ type }) => type));
        return kinds.every((kind) => seen.has(kind));
      },
      kinds.join(", "),
      15_000,
    );
  });

  it("logs only events of the declared types and shapes", async () => {
    for (const { type, data } of await readLog(installation.agentSocket)) {
      const declared = EVENTS[type.replace("nexusd.", "") as EventName]; // undefined fails the next line
      expect(z.strictObject(declared?.data.shape).safeParse(data).error?.issues ?? [], type).toEqual([]);
    }
  });

  it("reports that every service is ok, when it last succeeded, and what its jobs do", async () => {
    const { services, jobs } = await until(async () => {
      const now = await status();
      return (
        Object.values(now.services).every((service) => (service as { state: string }).state === "ok") && now
      );
    }, "three services ok");
    for (const service of ["messaging", "nex", "nexus"])
      expect(Date.parse(services[service].lastSuccessAt)).toBeGreaterThan(Date.now() - 60_000);
    expect(services.nex.stream.state).toBe("live");
    expect(jobs.map(({ name }: { name: string }) => name).sort()).toEqual([
      "messaging-poll",
      "nex-follow",
      "nex-insights",
      "nex-notifications",
      "nexus-conversations",
      "nexus-low-stock",
      "nexus-pending-orders",
      "nexus-shipments",
      "retention",
    ]);
  });

  it("serves the local views from the store", async () => {
    const view = async (path: string) => JSON.parse((await ask(installation.agentSocket, path)).text);
    const { messages } = await view("/v1/messaging/sessions/workshop/messages");
    expect(messages[0]).toMatchObject({ cursor: "0", agentId: "system" });
    expect((await view("/v1/nex/insights?limit=1")).insights).toHaveLength(1);
    expect((await view("/v1/nexus/orders/pending")).asOf).toMatch(/Z$/);
    expect((await view("/v1/nexus/stock/low")).asOf).toMatch(/Z$/);
  });

  it("reports an order as overdue once a stay", async () => {
    const overdue = await until(async () => {
      const events = await readLog(installation.agentSocket);
      return events.find(({ type }) => type === "nexusd.nexus.order.overdue");
    }, "an overdue order");
    expect(overdue.data).toMatchObject({ orderStatus: "pending", overdueAfterMs: 4000 });
  });

  it("stops on SIGTERM within 5 seconds with exit code 0, and repeats nothing after a restart", async () => {
    const before = await readLog(installation.agentSocket);
    const begin = performance.now();
    expect(await daemon.end("SIGTERM")).toBe(0);
    expect(performance.now() - begin).toBeLessThan(5000);
    logs.push(daemon.log());
    daemon = startDaemon(installation);
    await daemon.ready;
    await until(
      async () => (await readLog(installation.agentSocket)).length > before.length + 8,
      "the restarted daemon at work",
    );
    const after = await readLog(installation.agentSocket);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.map(({ type }) => type)).toContain("nexusd.daemon.stopped");
    const messageIds = after.flatMap(({ data }) => (data.messageId ? [data.messageId] : []));
    expect(new Set(messageIds).size).toBe(messageIds.length);
    const insights = after.flatMap(({ data }) => (data.insight ? [data.insight.content] : []));
    expect(new Set(insights).size).toBe(insights.length);
  });

  it("keeps every secret out of logs, events, answers and all tables but the secrets table", async () => {
    // An error of each service, so that error texts are searched too.
    sandbox.messaging.addFault({
      kind: "status",
      match: "/messages",
      status: 403,
      body: { error: "forbidden" },
    });
    sandbox.nex.addFault({
      kind: "status",
      match: "/insights",
      status: 500,
      body: { message: SANDBOX_ENV.NEX_API_KEY },
    });
    sandbox.nexus.addFault({ kind: "html", match: "/rest/v1" });
    sandbox.nex.cutStreams();
    await until(() => daemon.log().includes("the insight stream is lost"), "the loss of the stream");
    await until(
      async () => (await status()).services.nex.stream.state === "live",
      "the stream again",
      30_000,
    );

    const answers = await Promise.all(
      ["/v1/status", "/v1/jobs", "/v1/messaging/sessions", "/v1/health", "/openapi.json", "/v1/nope"].map(
        async (path) => (await ask(installation.operatorSocket, path)).text,
      ),
    );
    const events = JSON.stringify(await readLog(installation.agentSocket));
    const database = new Database(join(installation.dataDir, "nexusd.db"), { readonly: true });
    const secretRows = database.prepare("select name, value from secrets").all() as {
      name: string;
      value: string;
    }[];
    const tables = database
      .prepare(
        "select name from sqlite_schema where type = 'table' and name not in ('secrets', 'sqlite_stat1')",
      )
      .pluck()
      .all() as string[];
    const rows = tables
      .map((table) => JSON.stringify(database.prepare(`select * from "${table}"`).all()))
      .join("\n");
    database.close();
    logs.push(daemon.log());

    const token = JSON.parse(secretRows.find(({ name }) => name === "nexus.token")?.value ?? "{}").current
      ?.token;
    const sessionKeys = secretRows
      .filter(({ name }) => name.startsWith("messaging.key:"))
      .map(({ value }) => value);
    expect(token).toMatch(/^eyJ/);
    expect(sessionKeys).toHaveLength(1);
    const secrets = [...Object.values(SANDBOX_ENV), token, ...sessionKeys];
    for (const secret of secrets) {
      for (const text of [...logs, ...answers, events, rows]) {
        const at = text.indexOf(secret);
        expect(at === -1 ? "" : text.slice(Math.max(0, at - 120), at)).toBe("");
      }
    }
    for (const log of logs) expect(log.includes(SANDBOX_SESSION_ID)).toBe(false);
  });

  it("keeps its files private: directories 0700, files 0600, agent.sock 0660, operator.sock 0600", () => {
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(mode(installation.dataDir)).toBe("700");
    const files = readdirSync(installation.dataDir, { recursive: true }).map(String);
    expect(files).toEqual(
      expect.arrayContaining(["nexusd.db", "nexusd.db-wal", "agent.sock", "operator.sock"]),
    );
    for (const file of files) {
      const path = join(installation.dataDir, file);
      const expected = file === "agent.sock" ? "660" : statSync(path).isDirectory() ? "700" : "600";
      expect(`${file} ${mode(path)}`).toBe(`${file} ${expected}`);
    }
  });

  it("ends a second daemon on the same data directory in one clear line", async () => {
    const second = startDaemon(installation);
    expect(await second.end("SIGCONT")).toBe(1);
    const lines = second.log().trim().split("\n");
    expect(lines.filter((line) => line.includes('"level":"fatal"'))).toHaveLength(1);
    expect(second.log()).toMatch(/already|another/);
  });

  it("applies a new configuration on SIGHUP, names what needs a restart, and refuses an invalid one", async () => {
    const { writeFileSync } = await import("node:fs");
    const before = readFileSync(installation.configPath, "utf8");
    writeFileSync(
      installation.configPath,
      `${before.replace("*/2 * * * * *", "*/3 * * * * *")}\n[control]\nagent_socket = "${installation.directory}/other.sock"\n`,
    );
    daemon.process.kill("SIGHUP");
    await until(() => daemon.log().includes("some changes need a restart"), "the reload");
    expect(daemon.log()).toContain("control.agent_socket");
    const { jobs } = await status();
    expect(jobs.find(({ name }: { name: string }) => name === "nexus-low-stock").schedule).toBe(
      "*/3 * * * * *",
    );

    writeFileSync(installation.configPath, `${before}\n[nonsense]\n`);
    daemon.process.kill("SIGHUP");
    await until(() => daemon.log().includes("the old one stays"), "the refusal");
    expect((await status()).services.nex.state).not.toBe("disabled");
    writeFileSync(installation.configPath, before);
  });

  it("a reload that changes nothing disturbs nothing", async () => {
    const opened = async () =>
      (await readLog(installation.agentSocket)).filter(({ type }) => type === "nexusd.nex.stream.opened")
        .length;
    const first = await opened();
    // The previous test restored the old configuration: that is a change, and reopens the stream.
    daemon.process.kill("SIGHUP");
    await until(async () => (await opened()) > first, "the stream after a reload with changes");
    const before = await opened();
    const lines = () => daemon.log().split("nothing changed").length;
    const seen = lines();
    daemon.process.kill("SIGHUP");
    await until(() => lines() > seen, "the second reload");
    expect(await opened()).toBe(before);
  });

  it("ends in one clear line if its data directory is taken away", async () => {
    rmSync(installation.dataDir, { recursive: true });
    expect(await daemon.ended).toBe(1);
    expect(daemon.log().match(/"level":"fatal"[^\n]*nexusd.db was moved or removed/g)).toHaveLength(1);
  });
});

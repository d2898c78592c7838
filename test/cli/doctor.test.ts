import { execFile } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { beforeEach, describe, expect, it } from "vitest";
import type { Check } from "../../src/cli/doctor/doctor.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { runCli, runHere } from "../support/cli.ts";
import { cronJob, okService, startTestControl, temporaryDirectory } from "../support/control.ts";
import { type Behaviour, serve } from "../support/http-server.ts";
import { propose, rejection } from "../support/stored-write.ts";

const KEYS = { NEX_KEY: "nex-key-0123456789", NEXUS_KEY: "nxs_ak_0123456789", ANON_KEY: "anon-0123456789" };

/** The three services in one, answering as they do to valid keys. */
const services: Behaviour = (response, { method, url, headers, body }) => {
  const answer = (status: number, value: unknown) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (url === "/health") return answer(200, { uptime: 1 });
  if (url.startsWith("/api/developers/v1/insights"))
    return headers.authorization === `Bearer ${KEYS.NEX_KEY}`
      ? answer(200, { insights: [] })
      : answer(401, {});
  if (`${method} ${url}` === "POST /functions/v1/agent-auth")
    return JSON.parse(body).api_key === KEYS.NEXUS_KEY
      ? answer(200, { access_token: "token", organization_id: "o", expires_in: 3600 })
      : answer(401, { error: "invalid" });
  if (url.startsWith("/rest/v1/orders"))
    return headers.apikey === KEYS.ANON_KEY && headers.authorization === "Bearer token"
      ? answer(200, [])
      : answer(401, { message: "Invalid API key" });
  return answer(404, {});
};

/** Where nothing listens any more. */
async function closedOrigin(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

let dir: string;
let config: string;
beforeEach(async () => {
  dir = await temporaryDirectory();
  config = join(dir, "nexusd.toml");
});

const configure = (origin: string, dataDir: string, more = "") =>
  writeFileSync(
    config,
    `[daemon]\ndata_dir = ${JSON.stringify(dataDir)}\n[messaging]\nbase_url = "${origin}"\n${more}
[nex]\nbase_url = "${origin}"\napi_key = { source = "env", id = "NEX_KEY" }
[nexus]\nbase_url = "${origin}"\napi_key = { source = "env", id = "NEXUS_KEY" }\nanon_key = { source = "env", id = "ANON_KEY" }\n`,
  );

async function doctor(env: Record<string, string> = KEYS) {
  const { code, stdout } = await runHere(["--config", config, "doctor"], undefined, env);
  const checks = JSON.parse(stdout) as Check[];
  const state = (check: string) => checks.filter((one) => one.check === check).map((one) => one.state);
  const find = (check: string, wanted: Check["state"]) =>
    checks.find((one) => one.check === check && one.state === wanted);
  for (const one of checks) {
    expect(Object.keys(one)).toStrictEqual(["check", "state", "detail", "remedy"]);
    if (one.state === "fail") expect(one.remedy).toBeTruthy();
  }
  for (const secret of Object.values(KEYS)) expect(stdout).not.toContain(secret);
  return { code, checks, state, find };
}

describe("doctor", () => {
  it("finds nothing wrong with a healthy daemon, and does not use up its key exchanges", async () => {
    const daemon = await startTestControl();
    const { origin, requests } = await serve(services);
    configure(origin, daemon.directory);
    const { code, checks } = await doctor();
    expect(checks.filter(({ state }) => state !== "ok")).toStrictEqual([]);
    expect(code).toBe(0);
    expect(checks.map(({ check }) => check)).toStrictEqual([
      "config",
      "agent socket",
      "operator socket",
      "daemon",
      "database",
      "audit",
      "permissions",
      "jobs",
      "messaging",
      "nex",
      "nexus",
      "clock",
    ]);
    expect(requests.map(({ url }) => url)).not.toContain("/functions/v1/agent-auth");
  });

  it("leaves the database unchanged", async () => {
    const store = await openStore({ dataDir: dir, clock: systemClock });
    await store.close();
    const before = statSync(join(dir, "nexusd.db")).mtimeMs;
    const { origin } = await serve(services);
    configure(origin, dir);
    expect((await doctor()).state("database")).toStrictEqual(["ok"]);
    expect(statSync(join(dir, "nexusd.db")).mtimeMs).toBe(before);
    await (await openStore({ dataDir: dir, clock: systemClock })).close();
  });

  it("tries the keys itself without a daemon, and says how to start one", async () => {
    const { origin } = await serve(services);
    configure(origin, dir);
    const { code, state, find } = await doctor();
    expect(code).toBe(1);
    expect(find("daemon", "fail")?.remedy).toBe(`Start it with: bin/nexusd --config ${config}`);
    expect([state("messaging"), state("nex"), state("nexus")]).toStrictEqual([["ok"], ["ok"], ["ok"]]);
    expect(state("database")).toStrictEqual(["warn"]);
  });

  it.each([
    ["nex", "NEX_KEY", "[nex] api_key"],
    ["nexus", "NEXUS_KEY", "[nexus] api_key"],
    ["nexus", "ANON_KEY", "anon_key"],
  ])("names the key of %s if the service refuses it (%s)", async (service, variable, named) => {
    const { origin } = await serve(services);
    configure(origin, dir);
    const { code, find } = await doctor({ ...KEYS, [variable]: "wrong-key-0123456789" });
    expect(code).toBe(1);
    expect(find(service, "fail")?.remedy).toContain(named);
  });

  it("distinguishes a service that is unreachable, one that is something else, and one that fails", async () => {
    configure(await closedOrigin(), dir);
    expect((await doctor()).find("messaging", "fail")?.remedy).toContain("network");
    const html = await serve((response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
    );
    configure(html.origin, dir);
    expect((await doctor()).find("messaging", "fail")?.remedy).toContain("base_url");
    const broken = await serve((response) => response.writeHead(503).end());
    configure(broken.origin, dir);
    expect((await doctor()).find("messaging", "fail")?.remedy).toContain("keeps trying");
    const limited = await serve((response) => response.writeHead(429).end("{}"));
    configure(limited.origin, dir);
    expect((await doctor()).state("messaging")).toStrictEqual(["warn"]);
  });

  it("warns if this machine's clock differs from the services'", async () => {
    const { origin } = await serve((response, request, index) => {
      response.setHeader("date", new Date(Date.now() + 120_000).toUTCString());
      services(response, request, index);
    });
    configure(origin, dir);
    const { find } = await doctor();
    expect(find("clock", "warn")?.detail).toMatch(/^1(19|20|21) s behind/);
  });

  it("lists every problem of the config and each missing secret", async () => {
    configure("http://example.com", dir, "poll = 1");
    const { code, checks } = await doctor({ NEX_KEY: KEYS.NEX_KEY, NEXUS_KEY: KEYS.NEXUS_KEY });
    expect(code).toBe(1);
    const details = checks.filter(({ check }) => check === "config").map(({ detail }) => detail);
    expect(details.some((detail) => detail.includes("messaging.poll"))).toBe(true);
    expect(details.some((detail) => detail.includes("nex.base_url"))).toBe(true);
    const secrets = checks.filter(({ check }) => check === "secrets");
    expect(secrets).toMatchObject([{ state: "fail", detail: expect.stringContaining("ANON_KEY") }]);
  });

  it("does not report a secret that only the daemon has, and relies on the daemon", async () => {
    const daemon = await startTestControl();
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    const { code, state } = await doctor({});
    expect(code).toBe(0);
    expect(state("secrets")).toStrictEqual(["ok", "ok", "ok"]);
    expect(state("nex")).toStrictEqual(["ok"]);
  });

  it("passes on the daemon's reports about its services and its database", async () => {
    const daemon = await startTestControl();
    const lastError = { code: "x", message: "no more", at: new Date().toISOString() };
    daemon.state.services = { ...daemon.state.services, nex: { ...okService, state: "down", lastError } };
    Object.assign(daemon.state.store, { state: "degraded", lastError });
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    const { code, find } = await doctor();
    expect(code).toBe(1);
    expect(find("nex", "fail")?.detail).toContain("no more");
    expect(find("daemon", "fail")?.detail).toContain("no more");
  });

  it("fails for a damaged database, a newer version, and an operators' socket open to all", async () => {
    const daemon = await startTestControl();
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    chmodSync(daemon.sockets.operator, 0o666);
    expect((await doctor()).find("operator socket", "fail")?.detail).toContain("anyone may connect");
    chmodSync(daemon.sockets.operator, 0o660);
    expect((await doctor()).find("operator socket", "fail")?.detail).toContain("agents' group");

    configure(origin, dir);
    await (await openStore({ dataDir: dir, clock: systemClock })).close();
    const path = join(dir, "nexusd.db");
    truncateSync(path, Math.floor(statSync(path).size / 2));
    expect((await doctor()).find("database", "fail")?.remedy).toContain("backup");
    writeFileSync(path, "not a database, but long enough to be taken for one ".repeat(100));
    expect((await doctor()).state("database")).toStrictEqual(["fail"]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "names the socket that this user may not access and its owner, and goes on (needs root)",
    async () => {
      const { origin } = await serve(services);
      configure(origin, join(dir, "closed"));
      chmodSync(dir, 0o755);
      mkdirSync(join(dir, "closed"), { mode: 0o700 });
      // The sources may be where only root can read them.
      await doctor();
      try {
        process.seteuid?.(65_534);
        const { code, find, state } = await doctor();
        expect(code).toBe(1);
        expect(find("agent socket", "fail")).toMatchObject({
          detail: expect.stringContaining("EACCES"),
          remedy: expect.stringContaining("Run doctor as root"),
        });
        expect(state("database")).toStrictEqual(["warn"]);
        expect(state("messaging")).toStrictEqual(["ok"]);
      } finally {
        process.seteuid?.(0);
      }
    },
  );

  it("distinguishes a socket left by a killed daemon from one in use", async () => {
    const { origin } = await serve(services);
    configure(origin, dir);
    const path = JSON.stringify(join(dir, "agent.sock"));
    const script = `require("node:net").createServer().listen(${path}, () => process.kill(process.pid, "SIGKILL"))`;
    await promisify(execFile)(process.execPath, ["-e", script]).catch(() => {});
    expect((await doctor()).find("agent socket", "fail")?.detail).toContain("nothing listens there");
  });

  it("fails if the database or data directory is gone while a daemon runs", async () => {
    const daemon = await startTestControl();
    const { origin } = await serve(services);
    const sockets = `[control]\nagent_socket = "${daemon.sockets.agent}"\noperator_socket = "${daemon.sockets.operator}"`;
    configure(origin, dir, sockets);
    expect((await doctor()).find("database", "fail")?.detail).toContain("although a daemon runs");
    configure(origin, join(dir, "gone"), sockets);
    expect((await doctor()).find("database", "fail")?.detail).toContain("although a daemon runs");
  });

  it("passes on which jobs are invalid, stale or failing, and why", async () => {
    const daemon = await startTestControl();
    const at = new Date().toISOString();
    const lastError = (code: string, message: string) => ({ code, message, at });
    daemon.state.jobs = [
      cronJob({
        name: "broken",
        description: "/jobs/broken.ts",
        state: "invalid",
        lastError: lastError("invalid_job", "no default"),
      }),
      cronJob({ name: "late", state: "stale" }),
      cronJob({
        name: "flaky",
        state: "failing",
        failures: 2,
        lastError: lastError("nexus_timeout", "too slow"),
      }),
    ];
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    const { code, checks } = await doctor();
    expect(code).toBe(1);
    expect(checks.filter(({ check }) => check === "jobs")).toMatchObject([
      { state: "fail", detail: "broken: invalid: /jobs/broken.ts: no default" },
      { state: "fail", detail: "late: stale, last success never" },
      {
        state: "warn",
        detail: expect.stringMatching(/^flaky: failing, 2 times in a row: nexus_timeout, .*too slow$/),
      },
    ]);
  });

  it("checks the job files itself if no daemon runs", async () => {
    const { origin } = await serve(services);
    const jobs = join(dir, "jobs");
    mkdirSync(jobs);
    configure(origin, dir, `[jobs]\ndirectory = ${JSON.stringify(jobs)}`);
    expect((await doctor()).state("jobs")).toStrictEqual(["ok"]);
    writeFileSync(join(jobs, "broken.mjs"), "export const x = 1;\n");
    expect((await doctor()).find("jobs", "fail")?.detail).toContain("broken.mjs: has no default export");
  });

  it("ends even if a job file that it loaded keeps a timer", async () => {
    const { origin } = await serve(services);
    const jobs = join(dir, "jobs");
    mkdirSync(jobs);
    configure(origin, dir, `[jobs]\ndirectory = ${JSON.stringify(jobs)}`);
    writeFileSync(join(jobs, "busy.mjs"), "setInterval(() => {}, 1000);\nexport const x = 1;\n");
    const { code, stdout } = await runCli(["--config", config, "doctor"], KEYS);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).map(({ check }: Check) => check)).toContain("clock");
  });

  it("fails for a broken audit chain in an otherwise sound database, and names the command that helps", async () => {
    const daemon = await startTestControl();
    // Ended: of an open one, doctor also makes the request anew.
    const { id } = await propose(daemon.store);
    await daemon.store.transitionWrite(rejection(id, "no"));
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    expect((await doctor()).state("audit")).toStrictEqual(["ok"]);
    const db = new Database(join(daemon.directory, "nexusd.db"));
    db.exec("DROP TRIGGER audit_is_never_changed; UPDATE audit SET user = 'somebody else'");
    db.close();
    const { code, state, find } = await doctor();
    expect(code).toBe(1);
    expect(state("database")).toStrictEqual(["ok"]);
    expect(find("audit", "fail")).toMatchObject({
      detail: expect.stringContaining("row 1"),
      remedy: expect.stringContaining("nexusctl restore"),
    });
  });

  it("fails if others may read the data directory or the database", async () => {
    const daemon = await startTestControl();
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    chmodSync(daemon.directory, 0o755);
    expect((await doctor()).find("permissions", "fail")?.remedy).toBe(`chmod 0700 ${daemon.directory}`);
    chmodSync(daemon.directory, 0o700);
    const path = join(daemon.directory, "nexusd.db");
    chmodSync(path, 0o644);
    const { code, find } = await doctor();
    expect(code).toBe(1);
    expect(find("permissions", "fail")?.remedy).toBe(`chmod 0600 ${path}`);
  });

  it("fails if a file of the data directory is a link", async () => {
    const daemon = await startTestControl();
    const { origin } = await serve(services);
    configure(origin, daemon.directory);
    const path = join(daemon.directory, "nexusd.pid");
    renameSync(path, `${path}.moved`);
    symlinkSync(`${path}.moved`, path);
    expect((await doctor()).find("permissions", "fail")?.detail).toContain(`${path}: is a link`);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "fails if a file does not belong to the directory's owner (needs root)",
    async () => {
      const daemon = await startTestControl();
      const { origin } = await serve(services);
      configure(origin, daemon.directory);
      const path = join(daemon.directory, "nexusd.lock");
      chownSync(path, 65_534, 65_534);
      expect((await doctor()).find("permissions", "fail")?.remedy).toContain("chown --reference=");
    },
  );

  it("prints a line for each check at a terminal, with the remedy below it", async () => {
    const { origin } = await serve(services);
    configure(origin, dir);
    const { stdout } = await runHere(["--config", config, "doctor"], 80, KEYS);
    expect(stdout).toMatch(/^fail {2}daemon: No daemon at \S+\n {6}→ Start it with: bin\/nexusd/m);
    expect(stdout).toMatch(/^ok {4}messaging: http/m);
  });
});

// The set-ups of docs/runtimes.md, run as documented. OpenClaw's is run by test/openclaw/setup.openclaw.ts.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { closedOrigin } from "../support/http-server.ts";
import { snippetOf } from "../support/snippet.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const shown = (name: string) => snippetOf("runtimes.md", name);
/** A request that was in progress when nexusd was killed comes again after half a minute. */
const PATIENCE_MS = 120_000;
const isThere = (program: string) => spawnSync("which", [program]).status === 0;

vi.setConfig({ testTimeout: 2 * PATIENCE_MS });

let home: string;
let messaging: MessagingServer;
let session: string;
let installation: Installation;
let daemon: RunningDaemon;
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "nexusd-runtimes-"));
  messaging = await startMessaging({ rateLimit: null });
  session = messaging.createSession({ ttl: 3600 });
  installation = install("");
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.pid !== undefined) endGroup(child.pid);
  await daemon?.end("SIGKILL");
  await messaging.close();
  installation.remove();
  rmSync(home, { recursive: true, force: true });
});

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

const launch = async () => {
  daemon = startDaemon(installation);
  await daemon.ready;
};

const start = async (sinks = "") => {
  installation.configure(`
[messaging]
base_url = "${messaging.url}"
agent_id = "me"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${session}"
[nex]\nenabled = false\n[nexus]\nenabled = false
${sinks}
`);
  await launch();
};

const environment = () => ({
  ...{ PATH: `${home}:${join(ROOT, "bin")}:${process.env.PATH}`, HOME: home },
  NEXUSD_AGENT_SOCKET: installation.agentSocket,
});

/** As readers type it, in their home directory. */
function run(script: string): ChildProcess {
  const child = spawn("sh", ["-c", script], {
    env: environment(),
    cwd: home,
    stdio: "ignore",
    detached: true,
  });
  children.push(child);
  return child;
}

const say = (...texts: string[]) => {
  for (const text of texts) messaging.post(session, "peer", { text });
};
const linesOf = (file: string) =>
  existsSync(join(home, file)) ? readFileSync(join(home, file), "utf8").trim().split("\n") : [];
/** Undefined if the consumer does not exist yet. */
const pendingOf = async (consumer: string): Promise<number | undefined> =>
  JSON.parse((await ask(installation.agentSocket, `/v1/consumers/${consumer}`)).text).pending?.count;

describe("a shell script", () => {
  test.skipIf(!isThere("jq"))(
    "processes each event once, across a restart of nexusd (needs jq)",
    async () => {
      await start();
      run(shown("shell"));
      await until(async () => (await pendingOf("worker")) !== undefined, "a consumer");
      say("one", "two");
      const done = () => linesOf("work.txt").filter((line) => line.endsWith("messaging.message.received"));
      await until(() => done().length === 2, "two events", PATIENCE_MS);
      await until(async () => (await pendingOf("worker")) === 0, "their acknowledgement");
      await daemon.end("SIGKILL");
      await launch();
      say("three");
      await until(() => done().length === 3, "the third", PATIENCE_MS);
      expect(new Set(done()).size).toBe(3);
    },
  );
});

describe("cron", () => {
  test.skipIf(!isThere("flock"))(
    "starts the worker if something is pending, and never twice at once (needs flock)",
    async () => {
      await start();
      const line = shown("cron");
      expect(line).toMatch(/^\* \* \* \* \* /);
      const command = line
        .slice("* * * * * ".length)
        .replaceAll("/tmp/worker.lock", join(home, "worker.lock"));
      const worker = "#!/bin/sh\necho began >>began.txt\nwhile [ ! -e end ]; do sleep 0.05; done\n";
      writeFileSync(join(home, "run-worker"), worker, { mode: 0o755 });
      execFileSync("sh", ["-c", "nexusctl consumers create worker"], { env: environment(), stdio: "pipe" });

      // With nothing pending cron would mail whatever this prints.
      const idle = spawnSync("sh", ["-c", command], { env: environment(), cwd: home, encoding: "utf8" });
      expect([idle.stdout, idle.stderr, linesOf("began.txt")]).toEqual(["", "", []]);

      say("something");
      await until(async () => (await pendingOf("worker")) === 1, "an event");
      run(command);
      await until(() => linesOf("began.txt").length === 1, "a worker");
      spawnSync("sh", ["-c", command], { env: environment(), cwd: home });
      expect(linesOf("began.txt")).toEqual(["began"]);
      writeFileSync(join(home, "end"), "");
    },
  );
});

describe("a webhook", () => {
  test.skipIf(!isThere("openssl"))(
    "is received as documented, each event once, across a SIGKILL of nexusd (needs openssl)",
    async () => {
      execFileSync("sh", ["-c", shown("webhook secret")], { env: environment(), stdio: "pipe" });
      const secretFile = join(home, ".nexusd-webhook-secret");
      expect(statSync(secretFile).mode & 0o777).toBe(0o600);
      const receiver = await closedOrigin();
      await start(
        shown("webhook toml")
          .replace("/home/me", home)
          .replace("https://shop.example/nexusd", receiver)
          .replace('"nexus.*"', '"messaging.message.received"'),
      );
      say("before it listens");
      const child = spawn(process.execPath, ["--input-type=module", "-e", shown("webhook receiver")], {
        env: {
          ...environment(),
          WEBHOOK_SECRET: readFileSync(secretFile, "utf8").trim(),
          PORT: new URL(receiver).port,
        },
        ...{ cwd: ROOT, stdio: ["ignore", "pipe", "inherit"], detached: true },
      });
      children.push(child);
      let printed = "";
      child.stdout?.on("data", (chunk) => {
        printed += chunk;
      });
      const lines = () => printed.trim().split("\n").filter(Boolean);
      await until(
        () => lines().length === 1,
        () => daemon.log(),
      );
      say("two", "three");
      await daemon.end("SIGKILL");
      await launch();
      await until(
        () => lines().length === 3,
        () => daemon.log(),
        PATIENCE_MS,
      );
      expect(lines().map((line) => line.split(" ")[1])).toEqual(
        Array(3).fill("nexusd.messaging.message.received"),
      );
    },
  );
});

describe("systemd path units", () => {
  test("a wake touches the watched file", async () => {
    const watched = /^PathChanged=(.*)$/m.exec(shown("path unit"))?.[1] ?? "";
    const table = shown("path toml");
    expect(table).toContain(`"${watched}"]`);
    const file = join(home, "worker.wake");
    await start(table.replace(watched, file).replace("nexus.order.pending", "messaging.message.received"));
    say("something");
    await until(
      () => existsSync(file),
      () => daemon.log(),
    );
  });

  test.skipIf(!isThere("systemd-analyze"))("have no warnings from systemd (needs systemd-analyze)", () => {
    // What it starts, and as which user, is not on this machine.
    const service = shown("path service")
      .replace("/usr/local/bin/run-worker", "/bin/true")
      .replace(/^User=.*\n/m, "");
    writeFileSync(join(home, "worker.path"), `${shown("path unit")}\n`);
    writeFileSync(join(home, "worker.service"), `${service.replace(/^SupplementaryGroups=.*$/m, "")}\n`);
    const { stdout, stderr } = spawnSync(
      "systemd-analyze",
      ["verify", "--man=no", "worker.path", "worker.service"],
      {
        ...{ cwd: home, encoding: "utf8" },
        env: { ...process.env, SYSTEMD_UNIT_PATH: `${home}:` },
      },
    );
    expect(stdout + stderr).toBe("");
  });
});

// The real daemon as systemd runs it: told of by systemd-notify, on sockets that were open before it.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ask, type Installation, install, startDaemon, until } from "../support/daemon.ts";
import { type RecordedNotify, recordNotify } from "../support/systemd-notify.ts";

const QUIET = "[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n";
const MAIN = new URL("../../src/daemon/main.ts", import.meta.url).pathname;

let installation: Installation;
let recorded: RecordedNotify;
afterEach(() => {
  installation.remove();
  recorded.remove();
});

test("READY comes when the sockets answer, a reload ends in READY again, and the stop is announced first", async () => {
  installation = install(QUIET);
  // Before a message is written down, the socket must answer: whoever is told READY can connect.
  const socket = join(installation.dataDir, "agent.sock");
  recorded = recordNotify(
    `case $1 in READY=1) curl --silent --fail --unix-socket '${socket}' http://localhost/v1/health >/dev/null || exit 1 ;; esac`,
  );
  const daemon = startDaemon(installation, { ...recorded.env, WATCHDOG_USEC: "2000000" });
  const status = "STATUS=running; every service is disabled";
  await until(() => recorded.messages().length > 0, daemon.log);
  expect(recorded.messages()[0]).toEqual(["READY=1", status]);
  await until(() => recorded.messages().some(([field]) => field === "WATCHDOG=1"), daemon.log);

  daemon.process.kill("SIGHUP");
  const isReloaded = () => recorded.messages().filter(([field]) => field === "READY=1").length === 2;
  await until(isReloaded, daemon.log);
  const told = recorded.messages().map(([field]) => field);
  expect(told.lastIndexOf("READY=1")).toBeGreaterThan(told.indexOf("RELOADING=1"));

  expect(await daemon.end("SIGTERM")).toBe(0);
  expect(recorded.messages().at(-1)).toEqual(["STOPPING=1", "STATUS=stopping"]);
  expect(daemon.log()).not.toContain('"level":"error"');
});

const hasActivation = (() => {
  try {
    execFileSync("systemd-socket-activate", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasActivation)(
  "sockets that were open before are answered on, each by its name, and left there",
  async () => {
    installation = install(QUIET);
    recorded = recordNotify();
    const { agentSocket, operatorSocket, configPath } = installation;
    const activated = spawn(
      "systemd-socket-activate",
      // The operators' comes first, so that only the names can tell which is which.
      ["--listen", operatorSocket, "--listen", agentSocket, "--fdname=operator:agent"].concat(
        ...["NOTIFY_SOCKET", "PATH"].map((name) => ["--setenv", name]),
        [process.execPath, MAIN, "--config", configPath],
      ),
      { env: { ...process.env, ...recorded.env }, stdio: ["ignore", "ignore", "pipe"] },
    );
    let log = "";
    activated.stderr.on("data", (chunk) => {
      log += chunk;
    });
    const ended = once(activated, "exit");
    await until(
      () => existsSync(operatorSocket) && existsSync(agentSocket),
      () => log,
    );
    const before = lstatSync(agentSocket);
    // The connection that starts it is the first one that it answers.
    expect((await ask(agentSocket, "/v1/health")).status).toBe(200);
    expect((await ask(agentSocket, "/v1/reload", { method: "POST", body: {} })).status).toBe(403);
    expect((await ask(operatorSocket, "/v1/reload", { method: "POST" })).status).toBe(200);
    const after = lstatSync(agentSocket);
    expect([after.ino, after.mode, after.uid]).toEqual([before.ino, before.mode, before.uid]);

    activated.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(lstatSync(agentSocket).ino).toBe(before.ino);
    expect(existsSync(operatorSocket)).toBe(true);
  },
);

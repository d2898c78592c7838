// The real daemon as systemd runs it: its messages by systemd-notify, on inherited sockets.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
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

test("READY is sent when the sockets answer, a reload ends with READY again, and the stop is announced first", async () => {
  installation = install(QUIET);
  // Before a message is recorded, the socket must answer: a client told READY can connect.
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

/** The daemon behind sockets opened before it, in this order; the first connection starts it. */
function activate(listen: string[], fdNames: string | undefined) {
  const activated = spawn(
    "systemd-socket-activate",
    [
      ...listen.flatMap((at) => ["--listen", at]),
      ...(fdNames === undefined ? [] : [`--fdname=${fdNames}`]),
      ...["NOTIFY_SOCKET", "PATH"].flatMap((name) => ["--setenv", name]),
      ...[process.execPath, MAIN, "--config", installation.configPath],
    ],
    { env: { ...process.env, ...recorded.env }, stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  activated.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const ended = once(activated, "exit");
  return {
    log: () => log,
    isOpen: () =>
      until(
        () => listen.every((at) => !at.startsWith("/") || existsSync(at)),
        () => log,
      ),
    end() {
      activated.kill("SIGTERM");
      return ended;
    },
  };
}

describe.skipIf(!hasActivation)("inherited sockets (needs systemd-socket-activate)", () => {
  test("are answered, each by its name, and not removed", async () => {
    installation = install(QUIET);
    recorded = recordNotify();
    const { agentSocket, operatorSocket } = installation;
    // The operators' comes first, so only the names can tell them apart.
    const activated = activate([operatorSocket, agentSocket], "operator:agent");
    await activated.isOpen();
    const before = lstatSync(agentSocket);
    // The connection that starts it is the first one that it answers.
    expect((await ask(agentSocket, "/v1/health")).status).toBe(200);
    expect((await ask(agentSocket, "/v1/reload", { method: "POST", body: {} })).status).toBe(403);
    expect((await ask(operatorSocket, "/v1/reload", { method: "POST" })).status).toBe(200);
    const after = lstatSync(agentSocket);
    expect([after.ino, after.mode, after.uid]).toEqual([before.ino, before.mode, before.uid]);

    expect(await activated.end()).toEqual([0, null]);
    expect(lstatSync(agentSocket).ino).toBe(before.ino);
    expect(existsSync(operatorSocket)).toBe(true);
  });

  test("are all answered if several share a name, and an unused one is reported", async () => {
    installation = install(QUIET);
    recorded = recordNotify();
    const { agentSocket, operatorSocket, dataDir } = installation;
    const [second, other] = [join(dataDir, "second.sock"), join(dataDir, "other.sock")];
    const activated = activate(
      [agentSocket, second, other, operatorSocket],
      "nexusd-agent.socket:nexusd-agent.socket:web:operator",
    );
    await activated.isOpen();
    for (const path of [agentSocket, second]) {
      expect((await ask(path, "/v1/health")).status).toBe(200);
      expect((await ask(path, "/v1/reload", { method: "POST" })).status).toBe(403);
    }
    expect((await ask(operatorSocket, "/v1/reload", { method: "POST" })).status).toBe(200);
    const refused = await ask(other, "/v1/health");
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.text)).toMatchObject({
      code: "unknown_socket",
      detail: expect.stringContaining("set FileDescriptorName=agent or FileDescriptorName=operator"),
    });
    expect(activated.log()).toContain('descriptor 5 (\\"web\\"');
    expect(await activated.end()).toEqual([0, null]);
  });

  test("are recognised by their path if they have no name", async () => {
    installation = install(QUIET);
    recorded = recordNotify();
    const { agentSocket, operatorSocket } = installation;
    const activated = activate([operatorSocket, agentSocket], undefined);
    await activated.isOpen();
    expect((await ask(agentSocket, "/v1/reload", { method: "POST" })).status).toBe(403);
    expect((await ask(operatorSocket, "/v1/reload", { method: "POST" })).status).toBe(200);
    expect(await activated.end()).toEqual([0, null]);
  });

  test("are not taken if they are ports: connections are refused, and nexusd opens its own sockets", async () => {
    installation = install(QUIET);
    recorded = recordNotify();
    const port = await freePort();
    const activated = activate([`127.0.0.1:${port}`], "operator");
    const answer = await until(
      () => fetch(`http://127.0.0.1:${port}/v1/health`).catch(() => undefined),
      activated.log,
    );
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: "unknown_socket" });
    const { operatorSocket } = installation;
    await until(() => existsSync(operatorSocket), activated.log);
    expect((await ask(operatorSocket, "/v1/reload", { method: "POST" })).status).toBe(200);
    expect(await activated.end()).toEqual([0, null]);
  });
});

test.skipIf(!hasActivation)(
  "a socket without a file serves no requests, whatever its name (needs systemd-socket-activate)",
  async () => {
    installation = install(QUIET);
    recorded = recordNotify();
    const { agentSocket, operatorSocket } = installation;
    const name = `nexusd-test-${process.pid}`;
    const activated = activate([`@${name}`], "operator");
    const refused = await until(() => ask(`\0${name}`, "/v1/health").catch(() => undefined), activated.log);
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.text)).toMatchObject({
      code: "unknown_socket",
      detail: expect.stringContaining("is no file"),
    });
    await until(() => existsSync(agentSocket) && existsSync(operatorSocket), activated.log);
    expect((await ask(operatorSocket, "/v1/reload", { method: "POST" })).status).toBe(200);
    expect(await activated.end()).toEqual([0, null]);
  },
);

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

// The two sockets themselves: who can connect, whose place they take, and what they leave behind.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, rename, symlink, unlink, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startControl } from "../../src/control/server.ts";
import { openSocket } from "../../src/control/sockets.ts";
import { message, send, startTestControl, temporaryDirectory } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const modeOf = (path: string) => statSync(path).mode & 0o777;

/** A server on a socket of its own, closed after the test. */
async function listen(path: string) {
  const server = createServer((socket) => socket.end());
  server.listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return server;
}

const open = (path: string, server = createServer()) => {
  onTestFinished(() => void server.close());
  return openSocket({ path, mode: 0o600, server });
};

test("the agents' and operators' sockets get the modes of the contract", async () => {
  const { sockets } = await startTestControl();
  expect(modeOf(sockets.agent)).toBe(0o660);
  expect(modeOf(sockets.operator)).toBe(0o600);
});

test("a socket cannot be reached before its mode is right, whatever the umask", async () => {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const directory = await temporaryDirectory();
  const path = join(directory, "agent.sock");
  const server = createServer();
  onTestFinished(() => void server.close());
  const listen = server.listen.bind(server);
  let madeWith: number | undefined;
  server.listen = (...options: unknown[]) => {
    Reflect.apply(listen, server, options);
    madeWith = modeOf(path);
    return server;
  };
  await openSocket({ path, mode: 0o660, server });
  expect(madeWith).toBe(0o700);
  expect(modeOf(path)).toBe(0o660);
  expect(readdirSync(directory)).toEqual(["agent.sock"]);
  expect(process.umask()).toBe(0);
});

test.skipIf(!existsSync("/proc/self/net/unix"))(
  "the kernel's table, which cleaners use, lists the socket under its file name (needs /proc/self/net/unix)",
  async () => {
    const path = join(await temporaryDirectory(), "agent.sock");
    await open(path);
    expect(readFileSync("/proc/self/net/unix", "utf8")).toMatch(new RegExp(` ${path}$`, "m"));
  },
);

test("the socket of a killed process is replaced", async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, "agent.sock");
  const child = spawn(process.execPath, [
    "-e",
    `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("ready"))`,
  ]);
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  await open(path);
  await once(connect(path), "connect");
  expect(readdirSync(directory)).toEqual(["agent.sock"]);
});

test("a socket in use is left to its process", async () => {
  const path = join(await temporaryDirectory(), "agent.sock");
  await listen(path);
  const { ino } = lstatSync(path);
  await expect(open(path)).rejects.toMatchObject({ name: "SocketError", code: "in_use" });
  await expect(open(path)).rejects.toThrow(/^\S+agent\.sock: another process listens there; stop it/);
  expect(lstatSync(path).ino).toBe(ino);
});

describe("a file that is not a socket is never removed", () => {
  test.each([
    ["a file", (path: string) => writeFile(path, "precious")],
    ["a directory", (path: string) => mkdir(path)],
    ["a link", (path: string) => symlink("elsewhere", path)],
  ])("%s", async (_what, make) => {
    const path = join(await temporaryDirectory(), "agent.sock");
    await make(path);
    const { ino } = lstatSync(path);
    await expect(open(path)).rejects.toMatchObject({ code: "not_a_socket" });
    expect(lstatSync(path).ino).toBe(ino);
  });
});

test("a path that the system cannot use, or whose directory is missing, is reported in one line", async () => {
  const directory = await temporaryDirectory();
  await expect(open(join(directory, "x".repeat(120)))).rejects.toMatchObject({ code: "path_too_long" });
  await expect(open(join(directory, "missing", "agent.sock"))).rejects.toThrow(
    /agent\.sock: its directory does not exist; create it: mkdir -p \S+missing$/,
  );
});

test("the longest path that the system accepts works", async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, "x".repeat(106 - Buffer.byteLength(directory)));
  expect(Buffer.byteLength(path)).toBe(107);
  await open(path);
  expect(lstatSync(path).isSocket()).toBe(true);
});

const hasTmpfiles = spawnSync("systemd-tmpfiles", ["--version"]).status === 0;

test.skipIf(!hasTmpfiles)(
  "systemd-tmpfiles leaves it in place when it cleans up (needs systemd-tmpfiles)",
  async () => {
    const directory = await temporaryDirectory();
    const socket = join(directory, "agent.sock");
    await open(socket);
    await writeFile(join(directory, "left-behind"), "");
    const rules = join(await temporaryDirectory(), "clean.conf");
    await writeFile(rules, `d ${directory} - - - 0\n`);
    expect(spawnSync("systemd-tmpfiles", ["--clean", rules]).status).toBe(0);
    expect(readdirSync(directory)).toEqual(["agent.sock"]);
  },
);

describe("the daemon watches its socket", () => {
  const isReached = (path: string) =>
    send(path, "GET", "/v1/health").then(
      ({ status }) => status === 200,
      () => false,
    );

  test("a removed one is recreated, with its mode, and open connections stay open", async () => {
    const { sockets, stream, append, logged } = await startTestControl();
    const reader = await stream("/v1/events/stream");
    await unlink(sockets.agent);
    await expect.poll(() => isReached(sockets.agent)).toBe(true);
    expect(modeOf(sockets.agent)).toBe(0o660);
    await append(message());
    await reader.until(() => reader.messages.length === 1);
    expect(logged).toContainEqual(
      expect.objectContaining({
        level: 40,
        socket: "agent",
        msg: expect.stringMatching(/removed, and was created again/),
      }),
    );
    reader.close();
  });

  test("one that another process took over is left to it, and health and status say so, until it goes away", async () => {
    const { sockets, get, logged } = await startTestControl();
    await unlink(sockets.agent);
    const other = await listen(sockets.agent);
    const { ino } = lstatSync(sockets.agent);
    await expect.poll(async () => (await get("/v1/health")).json.status).toBe("degraded");
    const agent = async () => (await get("/v1/status")).json.sockets[0];
    await expect.poll(agent).toMatchObject({
      role: "agent",
      path: sockets.agent,
      state: "replaced",
      lastError: { code: "in_use", message: expect.stringMatching(/another process listens there; stop it/) },
    });
    expect(lstatSync(sockets.agent).ino).toBe(ino);

    other.close();
    await expect.poll(() => isReached(sockets.agent)).toBe(true);
    expect((await get("/v1/health")).json.status).toBe("ok");
    expect(await agent()).toMatchObject({ state: "there", lastError: null });
    expect(logged.filter(({ level }) => level === 50)).toHaveLength(1);
  });

  test("a file in its place is kept, even when the daemon stops", async () => {
    const { sockets, get, control, directory } = await startTestControl();
    await unlink(sockets.agent);
    await writeFile(sockets.agent, "precious");
    await expect.poll(async () => (await get("/v1/health")).json.status).toBe("degraded");
    await control.close();
    expect(readFileSync(sockets.agent, "utf8")).toBe("precious");
    expect(readdirSync(directory).filter((name) => name.startsWith("agent.sock"))).toEqual(["agent.sock"]);
  });
});

test("closing removes our sockets, and no others", async () => {
  const { control, sockets, directory } = await startTestControl();
  await rename(sockets.agent, join(directory, "moved"));
  await listen(sockets.agent);
  await control.close();
  await once(connect(sockets.agent), "connect");
  expect(readdirSync(directory).filter((name) => name.includes(".sock"))).toEqual(["agent.sock"]);
});

test("if one socket cannot be opened, the other is not left open", async () => {
  const { context } = await startTestControl();
  const directory = await temporaryDirectory();
  const sockets = { agent: join(directory, "agent.sock"), operator: join(directory, "operator.sock") };
  await writeFile(sockets.operator, "");
  await expect(startControl({ context, sockets })).rejects.toMatchObject({ code: "not_a_socket" });
  expect(readdirSync(directory)).toEqual(["operator.sock"]);
});

describe("closing", () => {
  test("lets a long poll finish with an answer", async () => {
    const clock = createFakeClock();
    const { control, get } = await startTestControl({ clock });
    const poll = get("/v1/events?wait=60s");
    while (clock.pending() === 0) await clock.settle();
    await control.close();
    expect(await poll).toMatchObject({ status: 200, json: { events: [] } });
  });

  test("lets a running answer finish, and does not wait for its client to hang up", async () => {
    const clock = createFakeClock();
    const { control, sockets, state } = await startTestControl({ clock });
    let endRun = () => {};
    state.run = () =>
      new Promise((resolve) => {
        endRun = resolve;
      });
    const client = connect(sockets.operator);
    let answer = "";
    client.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
    });
    client.write("POST /v1/jobs/nexus-low-stock/run HTTP/1.1\r\nhost: nexusd\r\n\r\n");
    while (clock.pending() === 0) await clock.settle();

    const begun = performance.now();
    const closing = control.close();
    while (existsSync(sockets.operator)) await clock.settle();
    await clock.settle();
    endRun();
    await closing;
    expect(performance.now() - begun).toBeLessThan(900);
    if (!client.closed) await once(client, "close");
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK[\s\S]+"name":"nexus-low-stock"/);
  });

  test("does not wait for a stalled reader", async () => {
    const { append, control, stream } = await startTestControl();
    const text = "x".repeat(10_000);
    await append(...Array.from({ length: 500 }, () => message("s", { text })));
    const reader = await stream("/v1/events/stream");
    await reader.until(() => reader.messages.length > 0);
    reader.response.pause();
    const begun = performance.now();
    await control.close();
    expect(performance.now() - begun).toBeLessThan(3000);
    reader.close();
  });

  test("ends an idle stream", async () => {
    const { control, stream } = await startTestControl();
    const reader = await stream("/v1/events/stream");
    await reader.until(() => reader.comments.length === 1);
    await control.close();
    await reader.ended;
  });

  test("accepts no more connections", async () => {
    const { control, sockets } = await startTestControl();
    await control.close();
    await expect(send(sockets.agent, "GET", "/v1/health")).rejects.toMatchObject({ code: "ENOENT" });
  });
});

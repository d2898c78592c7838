// The two sockets and real users of the operating system: the kernel admits exactly those that the modes allow.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, type TestContext, test } from "vitest";
import type { Role } from "../../src/control/context.ts";
import { startTestControl, type TestControl, temporaryDirectory } from "../support/control.ts";

interface User {
  name: string;
  uid: number;
  gid: number;
}

const GROUP = `nexusd-t${process.pid}`;
const AGENT = `${GROUP}-a`;
const STRANGER = `${GROUP}-s`;

// One daemon and two users for all of it; no test changes what the next one needs.
let control: TestControl;
let users: Record<"agent" | "stranger", User> | undefined;
let whyNot = "";

const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const idOf = (kind: "-u" | "-g", name: string) => Number(run("id", kind, name));

const attempt = (command: string, ...args: string[]) => {
  try {
    run(command, ...args);
  } catch {
    // A missing user needs no removal.
  }
};

/** Two system users without a home or a shell, one of them in the group of the agents. */
function createUsers() {
  if (process.getuid?.() !== 0) throw new Error("only root can create users");
  const user = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "--no-user-group"];
  run("groupadd", "--system", GROUP);
  run("useradd", ...user, "--gid", "nogroup", "--groups", GROUP, AGENT);
  run("useradd", ...user, "--gid", "nogroup", STRANGER);
  const named = (name: string): User => ({ name, uid: idOf("-u", name), gid: idOf("-g", name) });
  return { agent: named(AGENT), stranger: named(STRANGER) };
}

const removeUsers = () => {
  for (const name of [AGENT, STRANGER]) attempt("userdel", name);
  attempt("groupdel", GROUP);
};

beforeAll(async () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  const cleanup = (work: () => Promise<unknown>) => cleanups.unshift(work);
  // Like systemd's RuntimeDirectory=: everyone may pass through, and what is created in it belongs to the agents'
  // group.
  const directory = await temporaryDirectory(cleanup);
  await chmod(directory, 0o711);
  const socketDirectory = join(directory, "run");
  await mkdir(socketDirectory);
  cleanup(async () => removeUsers());
  try {
    users = createUsers();
    await chown(socketDirectory, 0, Number(run("getent", "group", GROUP).split(":")[2]));
  } catch (error) {
    whyNot = error instanceof Error ? error.message : String(error);
  }
  await chmod(socketDirectory, 0o2755);
  control = await startTestControl({ socketDirectory, cleanup });
  return async () => {
    for (const work of cleanups) await work();
  };
});

const known = (skip: TestContext["skip"]) =>
  users ?? skip(`needs two users of the operating system, which cannot be created here: ${whyNot}`);

// Becomes the user for good, including groups, before it connects: the kernel checks real credentials.
const BECOME = `
  const [name, gid, uid, ...rest] = process.argv.slice(1);
  process.initgroups(name, Number(gid));
  process.setgid(Number(gid));
  process.setuid(Number(uid));
`;
const REQUEST = `${BECOME}
  const [socketPath, method, path, body] = rest;
  const headers = { host: "nexusd", "content-type": "application/json" };
  const options = { socketPath, method, path, headers };
  require("node:http").request(options, (response) => {
    response.resume();
    console.log(response.statusCode);
  }).on("error", ({ code }) => console.log(code)).end(body);
`;

const RENAME = `${BECOME}
  try {
    require("node:fs").renameSync(rest[0], rest[0] + ".old");
    console.log("renamed");
  } catch ({ code }) {
    console.log(code);
  }
`;

/** @returns what the script printed as this user */
async function runAs({ name, uid, gid }: User, script: string, ...args: string[]): Promise<string> {
  const child = spawn(
    process.execPath,
    ["--eval", script, "--", name, `${gid}`, `${uid}`, ...args],
    // The tests' working directory may not be accessible to everyone.
    { stdio: ["ignore", "pipe", "inherit"], cwd: "/" },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  await once(child, "close");
  return output.trim();
}

/** @returns the status of the answer, or the code of the connection error */
const send = (user: User, socket: Role, method: string, path: string, body: object | "" = "") =>
  runAs(user, REQUEST, control.sockets[socket], method, path, body && JSON.stringify(body));

test("a user in the agents' group can read and propose on agent.sock", async ({ skip }) => {
  const { agent } = known(skip);
  expect(await send(agent, "agent", "GET", "/v1/health")).toBe("200");
  const proposal = { operation: "nexus.orders.update_status", input: {} };
  expect(await send(agent, "agent", "POST", "/v1/writes", proposal)).toBe("202");
});

test("but decide nothing there", async ({ skip }) => {
  const { agent } = known(skip);
  const { id, digest } = control.writes.add();
  expect(await send(agent, "agent", "POST", `/v1/writes/${id}/approve`, { digest })).toBe("403");
  expect(await send(agent, "agent", "POST", `/v1/writes/${id}/reject`, { reason: "no" })).toBe("403");
  expect(control.writes.all.get(id)?.state).toBe("proposed");
});

test("and cannot connect to operator.sock", async ({ skip }) => {
  const { agent } = known(skip);
  expect(await send(agent, "operator", "GET", "/v1/health")).toBe("EACCES");
});

test("and cannot replace our socket with another", async ({ skip }) => {
  const { agent } = known(skip);
  for (const path of Object.values(control.sockets)) expect(await runAs(agent, RENAME, path)).toBe("EACCES");
});

test("a user outside the group can connect to neither", async ({ skip }) => {
  const { stranger } = known(skip);
  expect(await send(stranger, "agent", "GET", "/v1/health")).toBe("EACCES");
  expect(await send(stranger, "operator", "GET", "/v1/health")).toBe("EACCES");
});

test("the user of the daemon can use both", async ({ skip }) => {
  known(skip);
  const root = { name: "root", uid: 0, gid: 0 };
  expect(await send(root, "agent", "GET", "/v1/health")).toBe("200");
  expect(await send(root, "operator", "GET", "/v1/health")).toBe("200");
});

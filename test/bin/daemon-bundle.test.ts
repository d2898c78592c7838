// The one file that the daemon consists of in a package: it behaves like its modules, and matches the sources.

import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "nexusd-bundle-"));
const checkout = join(root, "checkout");

beforeAll(() => {
  for (const part of ["bin", "src", "jobs", "package.json"])
    cpSync(part, join(checkout, part), { recursive: true, preserveTimestamps: true });
  symlinkSync(resolve("node_modules"), join(checkout, "node_modules"));
  makeBundle();
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const makeBundle = () =>
  execFileSync(process.execPath, ["src/daemon/bundle/bundle.ts", "build/nexusd", "--checkout"], {
    cwd: checkout,
  });

const environment = (env: Record<string, string> = {}) => ({
  PATH: process.env.PATH,
  NEXUSD_NODE: process.execPath,
  ...env,
});
const launcher = async (args: string[], env?: Record<string, string>) => {
  const options = { cwd: checkout, env: environment(env) };
  return await promisify(execFile)(join(checkout, "bin/nexusd"), args, options).catch(
    (error: { code: number; stdout: string; stderr: string }) => error, // what execFile rejects with
  );
};

/** A configuration without services. */
function configured(settings = ""): string {
  const directory = mkdtempSync(join(root, "config-"));
  const file = join(directory, "nexusd.toml");
  const off = ["messaging", "nex", "nexus"].map((name) => `[${name}]\nenabled = false\n`).join("");
  writeFileSync(file, `[daemon]\ndata_dir = "${directory}/data"\nlog_format = "json"\n${settings}\n${off}`);
  return file;
}

/** Runs a daemon until it is ready, and then `work` with its agent socket. @returns its log */
async function withDaemon(
  env: Record<string, string>,
  work = async (_socket: string) => {},
): Promise<string> {
  const file = configured();
  const daemon = spawn(join(checkout, "bin/nexusd"), ["--config", file], {
    env: environment(env),
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void daemon.kill("SIGKILL"));
  let log = "";
  for await (const chunk of daemon.stderr) {
    log += chunk;
    if (!log.includes("nexusd is ready")) continue;
    await work(join(file, "../data/agent.sock"));
    daemon.kill("SIGTERM");
    break;
  }
  if (daemon.exitCode === null) await once(daemon, "exit");
  expect(log).toContain("nexusd is ready");
  return log;
}

async function get(socketPath: string, path: string): Promise<{ status: number | undefined; text: string }> {
  const { promise, resolve: answered, reject } = Promise.withResolvers<{ status?: number; text: string }>();
  request({ socketPath, path, headers: { host: "nexusd" } }, async (response) => {
    const text = (await response.setEncoding("utf8").toArray()).join("");
    answered({ ...(response.statusCode !== undefined && { status: response.statusCode }), text });
  })
    .on("error", reject)
    .end();
  const { status, text } = await promise;
  return { status, text };
}

test("it serves the API, and what is loaded on demand", async () => {
  await withDaemon({}, async (socket) => {
    // At once: the first ones are there before the API is loaded.
    const [status, health] = await Promise.all([get(socket, "/v1/status"), get(socket, "/v1/health")]);
    expect(JSON.parse(status.text)).toMatchObject({ version: expect.any(String) });
    expect(health.status).toBe(200);
    expect(JSON.parse((await get(socket, "/openapi.json")).text)).toMatchObject({ openapi: "3.1.0" });
    expect((await get(join(socket, "../operator.sock"), "/metrics")).text).toContain("nexusd_");
  });
});

test("its answers on the command line are those of the modules", async () => {
  const whole = async (args: string[]) => {
    const options = { cwd: checkout, env: environment() };
    const main = join(checkout, "src/daemon/main.ts");
    return await promisify(execFile)(process.execPath, [main, ...args], options).catch((error) => error);
  };
  for (const args of [["--version"], ["--help"], ["--bogus"], ["check", "--config", configured()]]) {
    const { stdout, stderr, code } = await whole(args);
    expect(await launcher(args), args.join(" ")).toMatchObject({ stdout, stderr, ...(code && { code }) });
  }
});

test("a stack trace names the modules and lines of the sources", async () => {
  const file = configured('log_level = "debug"');
  writeFileSync(join(file, "../data"), "a file instead of a directory");
  const { stderr } = await launcher(["--config", file]);
  const { err } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "");
  const places = [...String(err.stack).matchAll(/file:\S+\/checkout\/(src\/[\w/-]+\.ts):(\d+):\d+/g)];
  expect(places.map(([, path]) => path)).toContain("src/store/sqlite/open.ts");
  expect(err.stack).not.toContain("build/nexusd");
  const [, path = "", line = ""] = places[0] ?? [];
  expect(readFileSync(join(checkout, path), "utf8").split("\n")[Number(line) - 1]).toMatch(/Error|throw/);
});

test("a bundle whose sources have changed does not run", async () => {
  const file = join(checkout, "src/daemon/usage.ts");
  const text = readFileSync(file, "utf8");
  onTestFinished(() => {
    writeFileSync(file, text);
    makeBundle();
  });
  writeFileSync(file, text.replace("run the daemon", "changed"));
  expect((await launcher(["--help"])).stdout).toContain("changed");
});

describe("the compiled code is kept for the next start", () => {
  const files = (directory: string) =>
    readdirSync(directory, { recursive: true, encoding: "utf8" })
      .map((name) => join(directory, name))
      .filter((path) => statSync(path).isFile());

  test("in the cache directory of the service, and damaged, read-only or foreign ones do no harm", async () => {
    const cache = mkdtempSync(join(root, "cache-"));
    const env = { CACHE_DIRECTORY: cache };
    await withDaemon(env);
    const compiled = files(cache).filter((path) => path.includes("/compiled/"));
    expect(compiled).not.toEqual([]);
    const before = compiled.map((path) => statSync(path).mtimeMs);
    await withDaemon(env);
    expect(compiled.map((path) => statSync(path).mtimeMs)).toEqual(before);
    for (const path of compiled) writeFileSync(path, "damaged");
    await withDaemon(env);
    chmodSync(cache, 0o500);
    await withDaemon(env);
    chmodSync(cache, 0o700);
    rmSync(cache, { recursive: true });
    writeFileSync(cache, "a file");
    await withDaemon(env);
    await withDaemon({ CACHE_DIRECTORY: "/none" });
  });

  test("in the user's cache directory otherwise", async () => {
    const home = join(root, "home");
    mkdirSync(home);
    await withDaemon({ HOME: home });
    expect(files(join(home, ".cache/nexusd/compiled"))).not.toEqual([]);
  });
});

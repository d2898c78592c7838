// The few files that nexusctl consists of in a package: they behave like its modules, and match the sources.

import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { LIGHT_COMMANDS, lightCommandOf } from "../../src/cli/light-commands.ts";
import { startTestControl } from "../support/control.ts";

const root = mkdtempSync(join(tmpdir(), "nexusd-bundle-"));
const checkout = join(root, "checkout");
const cleaning: (() => Promise<void>)[] = [];
let socket: string;

beforeAll(async () => {
  for (const part of ["bin", "src", "package.json"])
    cpSync(part, join(checkout, part), { recursive: true, preserveTimestamps: true });
  symlinkSync(resolve("node_modules"), join(checkout, "node_modules"));
  makeBundle();
  const control = await startTestControl({ cleanup: (work) => cleaning.push(work) });
  socket = control.sockets.agent;
}, 60_000);
afterAll(async () => {
  for (const clean of cleaning.reverse()) await clean();
  rmSync(root, { recursive: true, force: true });
});

const makeBundle = () =>
  execFileSync(process.execPath, ["src/cli/bundle/bundle.ts", "build/nexusctl", "--checkout"], {
    cwd: checkout,
  });

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(command: string, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  try {
    const options = { cwd: checkout, env: { PATH: process.env.PATH, NEXUSD_NODE: process.execPath, ...env } };
    return { code: 0, ...(await promisify(execFile)(command, args, options)) };
  } catch (error) {
    const { code, stdout, stderr } = error as Ended; // what execFile rejects with
    return { code, stdout, stderr };
  }
}
const launcher = (args: string[], env?: Record<string, string>) =>
  run(join(checkout, "bin/nexusctl"), args, env);
const bundled = (args: string[]) =>
  run(process.execPath, [join(checkout, "build/nexusctl/start.cjs"), ...args]);
const whole = (args: string[]) => run(process.execPath, [join(checkout, "src/cli/main.ts"), ...args]);

describe("its output and exit code are those of the modules", () => {
  test.each([
    ["--version"],
    ["status", "--socket", "SOCKET"],
    ["--socket", "SOCKET", "--json", "events", "--limit", "1"],
    ["--socket=SOCKET", "jobs"],
    ["--socket", "SOCKET", "read", "no.such.operation", "a=1"],
    ["--socket", "SOCKET", "write", "no.such.operation", "--input", "{}"],
    ["--socket", "SOCKET", "operations", "--service", "nowhere"],
    ["--socket", "SOCKET", "write", "--bogus"],
    ["--socket", "SOCKET", "writes", "show", "none"],
    ["--socket", "SOCKET", "messaging", "ls"],
    ["--socket", "SOCKET", "insights"],
    ["--socket", "SOCKET", "sinks"],
    ["--socket", "SOCKET", "consumers"],
    ["--socket", "SOCKET", "wait", "nobody", "--timeout", "10ms"],
    ["--socket", "SOCKET", "wait"],
    ["--socket", "/none", "reload"],
    ["--socket", "/none", "status"],
    ["help", "writes", "approve"],
    ["--socket", "SOCKET", "writes", "sign", "none", "--key", "none"],
    ["doctor", "--help"],
    ["nothing"],
  ])("%s %s %s %s %s %s", async (...words) => {
    const args = words.map((word) => word.replace("SOCKET", socket));
    // Two calls may differ only in their time and in a proposal's number.
    const told = ({ stdout, ...rest }: Ended) => ({
      ...rest,
      stdout: stdout.replace(/"(\w+At|asOf|at)":"[^"]+"|write-\d+/g, ""),
    });
    expect(told(await bundled(args))).toEqual(told(await whole(args)));
  });
});

test("a command is light only if the full command line parses it the same way", () => {
  for (const name of Object.keys(LIGHT_COMMANDS))
    if (name !== "import") expect(lightCommandOf(["--json", "--socket", "status", name])).toBe(name);
  for (const line of [
    "",
    "help",
    "doctor",
    "--bogus status",
    "status help",
    "writes sign x",
    "mcp",
    "import nexus-sh",
  ])
    expect(lightCommandOf(line.split(" ")), line).toBeUndefined();
});

test("it contains nothing that only the daemon needs, and the licence of each bundled library", () => {
  const directory = join(checkout, "build/nexusctl");
  const light = readFileSync(join(directory, "light.cjs"), "utf8");
  for (const part of ["ZodType", "better-sqlite3", "undici", "fastify"]) expect(light).not.toContain(part);
  const licences = readFileSync(join(directory, "LICENSES.txt"), "utf8");
  for (const library of ["commander", "eventsource-parser", "zod", "@modelcontextprotocol/server"])
    expect(licences).toMatch(new RegExp(`^${library} \\d[^\\n]*\\n\\n[^-]`, "m"));
});

test("a bundle whose sources have changed does not run", async () => {
  const file = join(checkout, "src/cli/status.ts");
  const text = readFileSync(file, "utf8");
  onTestFinished(() => {
    writeFileSync(file, text);
    makeBundle();
  });
  const description = "show services, jobs, nodes, sinks and log";
  expect((await launcher(["status", "--help"])).stdout).toContain(description);
  writeFileSync(file, text.replace(description, "changed"));
  expect((await launcher(["status", "--help"])).stdout).toContain("changed");
  // Even if V8 was started in a mode that cannot strip types.
  expect((await launcher(["status", "--help", "mcp"])).stdout).toContain("changed");
});

describe("what the launcher caches for the next start", () => {
  /** A home with a cache in it, as left by one start. */
  async function warm(): Promise<string> {
    const home = mkdtempSync(join(root, "home-"));
    expect((await launcher(["--socket", socket, "jobs"], { HOME: home })).code).toBe(0);
    return home;
  }
  const files = (home: string) =>
    readdirSync(join(home, ".cache/nexusd"), { recursive: true, encoding: "utf8" });
  const runs = async (home: string) =>
    expect(await launcher(["--socket", socket, "jobs"], { HOME: home })).toMatchObject({
      code: 0,
      stderr: "",
    });

  test("is in the user's cache directory, closed to others", async () => {
    const home = await warm();
    expect(files(home).length).toBeGreaterThan(3);
    expect(execFileSync("stat", ["-c", "%a", join(home, ".cache/nexusd")], { encoding: "utf8" })).toBe(
      "700\n",
    );
  });

  test("is optional: the launcher works if the cache is damaged, not writable, or of another Node.js", async () => {
    const home = await warm();
    const cache = join(home, ".cache/nexusd");
    for (const name of files(home)) {
      const path = join(cache, name);
      if (
        readdirSync(join(path, ".."), { withFileTypes: true }).some(
          (one) => one.name === name.split("/").at(-1) && one.isFile(),
        )
      )
        writeFileSync(path, "damaged");
    }
    await runs(home);
    rmSync(cache, { recursive: true });
    writeFileSync(cache, "a file");
    await runs(home);
    rmSync(cache);
    mkdirSync(cache, { mode: 0o500 });
    await runs(home);
    chmodSync(cache, 0o700);
    writeFileSync(join(cache, "node"), "22.19 0:0:0:0\n");
    await runs(home);
    await runs("/none");
  });

  test("is checked again if another Node.js is at the same path", async () => {
    const home = await warm();
    const node = join(root, "node");
    const put = (version: string) => {
      writeFileSync(node, `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else echo ran; fi\n`);
      chmodSync(node, 0o755);
    };
    put("v26.0.0");
    const start = () => launcher(["jobs"], { HOME: home, NEXUSD_NODE: node });
    expect((await start()).stdout).toBe("ran\n");
    put("v18.0.0"); // the same length as the other
    expect((await start()).stderr).toContain("needs Node.js");
  });

  test("is not taken from another user's home directory", async () => {
    const home = await warm();
    const owner = process.geteuid?.();
    if (owner !== 0) return; // Only root can give a directory to another user.
    rmSync(join(home, ".cache"), { recursive: true });
    execFileSync("chown", ["65534", home]);
    await runs(home);
    expect(existsSync(join(home, ".cache"))).toBe(false);
  });
});

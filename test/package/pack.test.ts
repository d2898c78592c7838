// The package as npm builds it from the files in git: installed globally it runs, and a TypeScript project that
// installs it compiles against both of its entry points, strictly, and runs.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = mkdtempSync(join(tmpdir(), "nexusd-package-"));
const modules = resolve("node_modules");
// The checkout's Node.js and compiler, wherever this is run from.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const run = async (cwd: string, command: string, ...args: string[]) => {
  try {
    return (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 25 })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string }; // execFile's own error
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
};
const npm = (cwd: string, ...args: string[]) =>
  run(cwd, "npm", ...args, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error");

const prefix = join(root, "global");
const project = join(root, "project");

beforeAll(async () => {
  const clone = join(root, "clone");
  const files = (await run(".", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
    .split("\0")
    .filter((name) => name !== "" && !name.startsWith("findings/"));
  for (const name of files) cpSync(name, join(clone, name), { force: true });
  // What `npm ci` brings, without the wait for it.
  symlinkSync(modules, join(clone, "node_modules"));
  const [packed] = JSON.parse(await npm(clone, "pack", "--json"));
  const tarball = join(clone, packed.filename);

  mkdirSync(project);
  const write = (name: string, text: string) => writeFileSync(join(project, name), text);
  write("package.json", JSON.stringify({ private: true, type: "module" }));
  write("tsconfig.json", JSON.stringify({ compilerOptions: STRICT, include: ["*.ts"] }));
  write("agent.ts", AGENT);
  write("report.ts", JOB);
  await Promise.all([
    npm(root, "install", "--global", "--prefix", prefix, tarball),
    npm(project, "install", tarball, `@types/node@${typesVersion()}`),
  ]);
}, 240_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const typesVersion = () => process.versions.node.split(".")[0];

const STRICT = {
  ...{ target: "es2024", module: "nodenext", outDir: "out", types: ["node"] },
  ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  ...{ erasableSyntaxOnly: true, verbatimModuleSyntax: true, skipLibCheck: false },
};

const JOB = `import { defineJob, type EventsOf, z } from "nexusd/job";

const events = {
  "shop.report.made": { when: "Each morning.", data: z.object({ items: z.int() }), example: { items: 3 } },
};
export type Reports = EventsOf<typeof events>;

export default defineJob({
  name: "shop-report",
  description: "Reports what the shop has",
  kind: "cron",
  settings: z.strictObject({ items: z.int().default(3) }),
  events,
  schedule: "0 9 * * *",
  catchUp: "none",
  async run({ settings, store }) {
    const report = { type: "shop.report.made", source: "/jobs/shop-report" } as const;
    await store.commitObservation({
      source: "shop-report",
      events: [{ ...report, data: { items: settings.items } }],
    });
    // @ts-expect-error: it is no number
    ({ events: [{ ...report, data: { items: "many" } }] }) satisfies Parameters<typeof store.commitObservation>[0];
  },
});
`;

const AGENT = `import { createClient, isNexusdError } from "nexusd/client";
import type { Reports } from "./report.ts";

const nexusd = createClient<Reports>();
const { version } = await nexusd.status();
await nexusd.jobs.run("shop-report");
for await (const event of nexusd.events({ types: ["shop.*", "daemon.started"] })) {
  // @ts-expect-error: there is no such type
  if (event.type === "nexusd.shop.report.mad") continue;
  if (event.type !== "nexusd.shop.report.made") continue;
  const items: number = event.data.items;
  console.log(JSON.stringify({ version, items }));
  break;
}
try {
  await nexusd.consumers.ack("none", 1);
} catch (error) {
  if (!isNexusdError(error, "consumer_not_found")) throw error;
  const code: "consumer_not_found" = error.code;
  console.log(code);
}
nexusd.close();
`;

it("after a global install both programs run, and all of the package is there", async () => {
  const bin = join(prefix, "bin");
  const { version } = JSON.parse(
    await run(root, "npm", "pkg", "get", "version", "name", "--prefix", resolve(".")),
  );
  expect((await run(root, join(bin, "nexusd"), "--version")).trim()).toBe(version);
  expect((await run(root, join(bin, "nexusctl"), "--version")).trim()).toContain(version);
  expect(await run(root, join(bin, "nexusctl"), "completion", "bash")).toContain("nexusctl");
  const page = join(prefix, "lib/node_modules/nexusd/dist/page");
  expect(readdirSync(page)).toEqual(
    expect.arrayContaining(["app.css", "app.js", "icon.svg", "index.html", "open.html", "open.js"]),
  );
});

it("the MCP server answers its first call quickly, in little memory, and has its skill", async () => {
  const skill = join(root, "skills");
  await run(
    root,
    join(prefix, "bin/nexusctl"),
    "--socket",
    "/none",
    "skill",
    "install",
    "--dir",
    skill,
    "--yes",
  );
  expect(readFileSync(join(skill, "nexusd/SKILL.md"), "utf8")).toContain("name: nexusd");
  // The best of several: this measures the server, not the machine's other work.
  const tries = [];
  const bare = [];
  for (let count = 0; count < 5; count++) {
    const startedAt = performance.now();
    await run(root, process.execPath, "-e", "0");
    bare.push(performance.now() - startedAt);
    tries.push(await firstCall());
  }
  // 400 ms, or on a machine that is slow now as many starts of Node.js as that is on one that is not.
  const most = Math.max(400, 10 * Math.min(...bare));
  expect(Math.min(...tries.map(({ ms }) => ms))).toBeLessThan(most);
  expect(Math.min(...tries.map(({ peak }) => peak))).toBeLessThan(60);
  expect(Math.min(...tries.map(({ quiet }) => quiet))).toBeLessThan(57);
});

function megabytes(pid: number | undefined, field: "VmHWM" | "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) * 1024) / 1e6;
}

/** Of the installed server: how long from its start to the answer of a tool, and its resident memory in MB. */
async function firstCall(): Promise<{ ms: number; peak: number; quiet: number }> {
  const startedAt = performance.now();
  const server = spawn(join(prefix, "bin/nexusctl"), ["--socket", "/none", "mcp", "--consumer", "me"], {
    ...{ env, stdio: ["pipe", "pipe", "inherit"] },
  });
  try {
    const send = (message: object) =>
      server.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const client = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    };
    send({ id: 1, method: "initialize", params: client });
    send({ id: 2, method: "tools/call", params: { name: "sessions_list", arguments: {} } });
    for await (const line of createInterface(server.stdout ?? Readable.from([])))
      if (JSON.parse(line).id === 2) break;
    const ms = performance.now() - startedAt;
    const peak = megabytes(server.pid, "VmHWM");
    // Once nothing is asked it gives back what it needed for its start.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const quiet = megabytes(server.pid, "VmRSS");
    // Ended as clients end it: it then keeps its code as it was compiled.
    server.stdin?.end();
    await once(server, "exit");
    return { ms, peak, quiet };
  } finally {
    server.kill("SIGKILL");
  }
}

it("a project compiles against both entry points, strictly, and talks to the installed daemon", async () => {
  await run(project, join(modules, ".bin/tsc"), "-p", ".");
  const jobs = join(project, "jobs");
  mkdirSync(jobs);
  cpSync(join(project, "report.ts"), join(jobs, "report.ts"));
  writeFileSync(
    join(project, "nexusd.toml"),
    `[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n[jobs]\ndirectory = "jobs"\n[jobs.shop-report]\nitems = 8\n`,
  );
  const daemon = execFile(join(prefix, "bin/nexusd"), ["--config", "nexusd.toml"], { cwd: project, env });
  try {
    await new Promise<void>((resolve, reject) => {
      let log = "";
      daemon.stderr?.on("data", (chunk: string) => {
        log += chunk;
        if (log.includes("nexusd is ready")) resolve();
      });
      daemon.on("exit", () => reject(new Error(log)));
    });
    const output = await run(project, process.execPath, "out/agent.js");
    const [first = "", second] = output.split("\n");
    expect(JSON.parse(first)).toMatchObject({ items: 8 });
    expect(second).toBe("consumer_not_found");
  } finally {
    daemon.kill("SIGTERM");
    await new Promise((resolve) => daemon.on("exit", resolve));
  }
});

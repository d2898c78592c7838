// The cost of an idle daemon: resident memory against a process that only imports the same dependencies, time to ready,
// and CPU usage. From dist/: run `npm run build` first.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, print } from "./figure.ts";
import { cpuMs, end, resident, sleep, startDaemon } from "./process.ts";

const ROUNDS = 5;
const SETTLE_MS = 5000;
const WATCH_MS = 10_000;
const ROOT = join(import.meta.dirname, "..");

/** The packages that the daemon has loaded when it is ready; others are loaded on demand. */
const DEPENDENCIES = [
  "better-sqlite3",
  "croner",
  "eventsource-parser",
  "fastify",
  "fastify-type-provider-zod",
  "p-retry",
  "pino",
  "smol-toml",
  "ulid",
  "undici",
  "zod",
];

async function bare(): Promise<number> {
  const code = `${DEPENDENCIES.map((name) => `await import("${name}");`).join("")}console.log("up");setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await sleep(SETTLE_MS);
  const mib = resident(child);
  await end(child);
  return mib;
}

async function idle(toml: string): Promise<{ mib: number; readyMs: number; cpuShare: number }> {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
  const config = join(directory, "nexusd.toml");
  writeFileSync(config, `[daemon]\ndata_dir = "${directory}/data"\nlog_format = "json"\n${toml}`);
  const begin = performance.now();
  const env = { KEY_A: "a-key-of-nobody", KEY_B: "b-key-of-nobody", KEY_C: "c-key-of-nobody" };
  const child = startDaemon(config, { stdio: ["ignore", "ignore", "pipe"], env }, true);
  let log = "";
  child.stderr?.on("data", (chunk) => {
    log += chunk;
  });
  while (!log.includes("nexusd is ready")) {
    if (child.exitCode !== null) throw new Error(log);
    await sleep(2);
  }
  const readyMs = performance.now() - begin;
  await sleep(SETTLE_MS);
  const before = cpuMs(child);
  await sleep(WATCH_MS);
  const result = { mib: resident(child), readyMs, cpuShare: (cpuMs(child) - before) / WATCH_MS };
  await end(child);
  rmSync(directory, { recursive: true });
  return result;
}

/** A local port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address ? address.port : 1;
}

const origin = `http://127.0.0.1:${await closedPort()}`;
const cases: Record<string, string> = {
  "services disabled": "[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n",
  "services unreachable": `[messaging]\nbase_url = "${origin}"\n[nex]\nbase_url = "${origin}"\napi_key = { source = "env", id = "KEY_A" }\n[nexus]\nbase_url = "${origin}"\napi_key = { source = "env", id = "KEY_B" }\nanon_key = { source = "env", id = "KEY_C" }\n`,
};
const baselines: number[] = [];
for (let round = 0; round < ROUNDS; round++) baselines.push(await bare());
const baseline = median(baselines);
for (const [name, toml] of Object.entries(cases)) {
  const runs = [];
  for (let round = 0; round < ROUNDS; round++) runs.push(await idle(toml));
  const figure = { bench: "idle", case: name };
  print({
    ...figure,
    figure: "resident memory",
    value: median(runs.map(({ mib }) => mib)),
    unit: "MiB",
    baseline,
  });
  print({
    ...figure,
    figure: "time to ready",
    value: median(runs.map(({ readyMs }) => readyMs)),
    unit: "ms",
  });
  print({
    ...figure,
    figure: "share of one core",
    value: median(runs.map(({ cpuShare }) => cpuShare)) * 100,
    unit: "%",
  });
}

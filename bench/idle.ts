// The cost of an idle daemon: resident memory against a Node.js that does nothing, time to ready against the start of one,
// and CPU usage. From dist/, after `npm run build`, and from the checkout. NEXUSD_OTHER names the root of another build: it
// takes turns with this one, and is the baseline of the time to ready.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, print } from "./figure.ts";
import { cpuMs, end, resident, sleep, startDaemon } from "./process.ts";

const ROUNDS = 3;
const SETTLE_MS = 5000;
const WATCH_MS = 5000;

const OTHER = process.env.NEXUSD_OTHER;

/** A Node.js that does nothing: its memory, and how long it takes to run one line. */
async function bare(): Promise<{ mib: number; readyMs: number }> {
  const begin = performance.now();
  const child = spawn(process.execPath, ["-e", 'console.log("up");setInterval(() => {}, 1e6);'], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const readyMs = performance.now() - begin;
  await sleep(SETTLE_MS);
  const mib = resident(child);
  await end(child);
  return { mib, readyMs };
}

interface Build {
  isBuilt: boolean;
  root?: string;
}

async function idle(
  toml: string,
  { isBuilt, root }: Build,
): Promise<{ mib: number; readyMs: number; cpuShare: number }> {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
  const config = join(directory, "nexusd.toml");
  writeFileSync(config, `[daemon]\ndata_dir = "${directory}/data"\nlog_format = "json"\n${toml}`);
  const begin = performance.now();
  const env = { KEY_A: "a-key-of-nobody", KEY_B: "b-key-of-nobody", KEY_C: "c-key-of-nobody" };
  const child = startDaemon(config, { stdio: ["ignore", "ignore", "pipe"], env }, isBuilt, root);
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
const builds: Record<string, Build> = {
  "dist/": { isBuilt: true },
  checkout: { isBuilt: false },
  ...(OTHER !== undefined && { other: { isBuilt: true, root: OTHER } }),
};
const bares: Awaited<ReturnType<typeof bare>>[] = [];
const runs = new Map<string, Awaited<ReturnType<typeof idle>>[]>();
for (let round = 0; round < ROUNDS; round++) {
  bares.push(await bare());
  for (const [services, toml] of Object.entries(cases))
    for (const [build, parts] of Object.entries(builds)) {
      const name = `${services}, ${build}`;
      runs.set(name, [...(runs.get(name) ?? []), await idle(toml, parts)]);
    }
}
const middle = <K extends string>(of: Record<K, number>[], key: K) => median(of.map((one) => one[key]));
for (const services of Object.keys(cases))
  for (const build of Object.keys(builds)) {
    const own = runs.get(`${services}, ${build}`) ?? [];
    const other = runs.get(`${services}, other`);
    const figure = { bench: "idle", case: `${services}, ${build}` };
    const resident = { value: middle(own, "mib"), unit: "MiB", baseline: middle(bares, "mib") };
    print({ ...figure, figure: "resident memory, of bare Node.js", ...resident });
    const ready = { value: middle(own, "readyMs"), unit: "ms" };
    print({
      ...figure,
      figure: other ? "time to ready, of the other build" : "time to ready, of bare Node.js",
      ...{ ...ready, baseline: middle(other ?? bares, "readyMs") },
    });
    print({ ...figure, figure: "share of one core", value: middle(own, "cpuShare") * 100, unit: "%" });
  }

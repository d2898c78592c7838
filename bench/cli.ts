// The cost of a call of nexusctl, as a user starts it, against bare Node.js in the same run: wall time, CPU time and
// peak memory, medians of alternating runs. `dist`: built by `npm run build`; a checkout runs its bundle or sources.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { median, print } from "./figure.ts";
import { end, sleep, startDaemon } from "./process.ts";

const ROUNDS = Number(process.env.CLI_ROUNDS ?? 21);
const ROOT = join(import.meta.dirname, "..");
const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
const socket = join(directory, "data/agent.sock");

interface Cost {
  wall: number;
  processor: number;
  peak: number;
}

// Read as the process exits: the kernel discards it afterwards.
const REPORT = join(directory, "report.cjs");
const FIGURES = join(directory, "figures.json");
writeFileSync(
  REPORT,
  `process.on("exit", () => { const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  require("node:fs").writeFileSync(${JSON.stringify(FIGURES)}, JSON.stringify([(userCPUTime + systemCPUTime) / 1000, maxRSS / 1024])); });`,
);
const env = {
  ...process.env,
  ...{ NEXUSD_NODE: process.execPath, NEXUSD_AGENT_SOCKET: socket, HOME: directory, XDG_CACHE_HOME: "" },
  NODE_OPTIONS: `--require ${REPORT}`,
};

async function cost(command: string, args: string[]): Promise<Cost> {
  const startedAt = performance.now();
  const child = spawn(command, args, { cwd: directory, env, stdio: "ignore" });
  await once(child, "exit");
  const wall = performance.now() - startedAt;
  const [processor, peak] = JSON.parse(readFileSync(FIGURES, "utf8")) as [number, number]; // our own file
  return { wall, processor, peak };
}

/** From the start of the server to the answer of a tool, with its peak memory so far. */
async function firstAnswer(command: string): Promise<Cost> {
  const startedAt = performance.now();
  const server = spawn(command, ["mcp", "--consumer", "bench"], {
    ...{ cwd: directory, env, stdio: ["pipe", "pipe", "inherit"] },
  });
  const send = (message: object) =>
    server.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const clientInfo = { name: "bench", version: "1" };
  send({
    ...{ id: 1, method: "initialize" },
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
  });
  send({ id: 2, method: "tools/call", params: { name: "sessions_list", arguments: {} } });
  if (server.stdout)
    for await (const line of createInterface(server.stdout)) if (JSON.parse(line).id === 2) break;
  const wall = performance.now() - startedAt;
  server.stdin?.end();
  await once(server, "exit");
  const [processor, peak] = JSON.parse(readFileSync(FIGURES, "utf8")) as [number, number]; // our own file
  return { wall, processor, peak };
}

writeFileSync(
  join(directory, "nexusd.toml"),
  `[daemon]\ndata_dir = "${directory}/data"\n[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n`,
);
const daemon = startDaemon(join(directory, "nexusd.toml"), { stdio: "ignore", env: { NODE_OPTIONS: "" } });
try {
  while (!existsSync(socket)) await sleep(20);
  const programs = { checkout: "bin/nexusctl", dist: "dist/bin/nexusctl" };
  const cases: Record<string, () => Promise<Cost>> = {};
  for (const [from, path] of Object.entries(programs)) {
    const program = join(ROOT, path);
    if (!existsSync(program)) continue;
    cases[`status, ${from}`] = () => cost(program, ["status"]);
    cases[`events --limit 1, ${from}`] = () => cost(program, ["events", "--limit", "1"]);
    // Up to the daemon's refusal: its input is incomplete.
    cases[`write, refused, ${from}`] = () =>
      cost(program, ["write", "nexus.orders.update_status", "--input", "{}"]);
    cases[`mcp, first answer, ${from}`] = () => firstAnswer(program);
  }
  const bare = () => cost(process.execPath, ["-e", "0"]);
  for (const run of Object.values(cases)) await run(); // Warms the caches, so that all runs are like a second call.
  const baselines: Cost[] = [];
  const costs = new Map(Object.keys(cases).map((name) => [name, [] as Cost[]]));
  for (let round = 0; round < ROUNDS; round++) {
    baselines.push(await bare());
    for (const [name, run] of Object.entries(cases)) costs.get(name)?.push(await run());
  }
  for (const [name, found] of costs)
    for (const [figure, unit] of [
      ["wall", "ms"],
      ["processor", "ms"],
      ["peak", "MiB"],
    ] as const)
      print({
        ...{ bench: "cli", case: name, figure, unit },
        value: median(found.map((one) => one[figure])),
        baseline: median(baselines.map((one) => one[figure])),
      });
} finally {
  await end(daemon);
  rmSync(directory, { recursive: true, force: true });
}

// What the kernel reports about a child process (Linux), and stopping it.

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** VmRSS of a process in MiB. */
export function resident(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** CPU time of a process in ms; the kernel counts in hundredths of a second. */
export function cpuMs(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

const ROOT = join(import.meta.dirname, "..");

/** The daemon as its users start it, on this Node.js; `isBuilt`: that of dist/. `root`: of another checkout. */
export function startDaemon(
  config: string,
  options: SpawnOptions,
  isBuilt = false,
  root = ROOT,
): ChildProcess {
  const launcher = join(root, isBuilt ? "dist/bin/nexusd" : "bin/nexusd");
  if (!existsSync(launcher)) throw new Error("dist/ is missing: run `npm run build` first");
  const env = { ...process.env, NEXUSD_NODE: process.execPath, ...options.env };
  return spawn(launcher, ["--config", config], { ...options, env });
}

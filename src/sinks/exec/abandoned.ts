// Finds what a command of a killed nexusd left running, by the variable that is unique to each wake.

import { readdir, readFile } from "node:fs/promises";
import type { Clock } from "../../core/clock.ts";

const GRACE_MS = 2000;
const LOOK_MS = 50;

/** Ends every process of this user with the variable in its environment. Where there is no /proc, nothing is found. */
export async function endAbandoned(variable: string, clock: Pick<Clock, "sleep">): Promise<number> {
  const found = await processesWith(variable);
  for (let waited = 0, left = found; left.length > 0; waited += LOOK_MS) {
    if (waited === 0) for (const pid of left) kill(pid, "SIGTERM");
    await clock.sleep(LOOK_MS);
    // Its children of meanwhile have the variable, too.
    left = await processesWith(variable);
    if (waited < GRACE_MS) continue;
    for (const pid of left) kill(pid, "SIGKILL");
    break;
  }
  return found.length;
}

async function processesWith(variable: string): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  const pids = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => {
        const environment = await readFile(`/proc/${name}/environ`, "latin1").catch(() => "");
        return environment.split("\0").includes(variable) ? [Number(name)] : [];
      }),
  );
  return pids.flat();
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

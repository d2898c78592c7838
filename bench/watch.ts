// The cost of a full pass of the watches of Nexus: 100,000 stock balances and 10,000 pending orders, against only
// fetching and parsing the same pages; and the daemon's peak memory. Shop, watches and the bare reader are separate
// processes. The daemon is that of dist/: run `npm run build` first.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { median, print } from "./figure.ts";
import { startDaemon } from "./process.ts";

const ROWS = 110_000;
/** db-max-rows as Supabase sets it, and as the vendor documents it. */
const PAGES = [1000, 100];

/** The same as in bin/nexusd. */
const FLAGS = ["--max-semi-space-size=2", "--heap-growing-percent=25", "--no-allocation-site-pretenuring"];
/** How many passes the daemon makes before its memory is read; the first one writes every row. */
const DAEMON_PASSES = 4;

interface Pass {
  cpuMs: number;
  ms: number;
}

const start = (file: string, args: string[], flags: string[] = []): ChildProcess =>
  spawn(process.execPath, [...flags, join(import.meta.dirname, file), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });

async function lines(child: ChildProcess, count = Number.POSITIVE_INFINITY): Promise<string[]> {
  const found: string[] = [];
  if (!child.stdout) return found;
  for await (const line of createInterface({ input: child.stdout })) {
    found.push(line);
    if (found.length >= count) break;
  }
  return found;
}

/** The peak resident memory of a daemon (VmHWM), in MiB, after some passes over the shop. */
async function peakOfDaemon(origin: string, directory: string): Promise<number> {
  const config = join(directory, "nexusd.toml");
  const schedule = 'schedule = "*/3 * * * * *"';
  writeFileSync(
    config,
    `[daemon]\ndata_dir = "${join(directory, "daemon")}"\nlog_level = "debug"\nlog_format = "json"
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]\nbase_url = "${origin}"\nrequests_per_minute = 1000000
api_key = { source = "env", id = "API_KEY" }\nanon_key = { source = "env", id = "ANON_KEY" }
[jobs.nexus-low-stock]\n${schedule}\n[jobs.nexus-pending-orders]\n${schedule}\n`,
  );
  const env = { API_KEY: "nxs_ak_bench_bench", ANON_KEY: "anon-anon" };
  const daemon = startDaemon(config, { stdio: "ignore", env }, true);
  try {
    let passes = 0;
    for (let seen = await servedBy(origin); passes < DAEMON_PASSES; ) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = await servedBy(origin);
      if (now > seen) await fetch(`${origin}/change`);
      passes += now - seen;
      seen = now;
    }
    const status = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  } finally {
    daemon.kill("SIGKILL");
  }
}

/** Complete passes over the stock, counted by the shop. */
const servedBy = async (origin: string): Promise<number> =>
  Number(await (await fetch(`${origin}/passes`)).text());

for (const pageRows of PAGES) {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
  const shop = start("watch-shop.ts", [String(pageRows)]);
  try {
    const [origin = ""] = await lines(shop, 1);
    const passes = async (side: "bare" | "watch", ...changed: string[]): Promise<Pass[]> => {
      const args = [side, origin, mkdtempSync(join(directory, "pass-")), ...changed];
      const found = await lines(start("watch-pass.ts", args, side === "watch" ? FLAGS : []));
      return found.map((line) => JSON.parse(line));
    };
    const bare = await passes("bare");
    const watch = await passes("watch");
    const busy = await passes("watch", "changed");

    const figure = { bench: "watch", case: `pages of ${pageRows}` };
    // The first two passes of each are a warm-up; the first one of the watch writes every row.
    const perRow = (all: Pass[]) => (median(all.slice(2).map(({ cpuMs }) => cpuMs)) / ROWS) * 1000;
    print({ ...figure, figure: "cpu per row", value: perRow(watch), unit: "us", baseline: perRow(bare) });
    print({
      ...figure,
      figure: "cpu per row, with a change in every page",
      value: perRow(busy),
      unit: "us",
      baseline: perRow(bare),
    });
    print({
      ...figure,
      figure: "cpu of the first pass, per row",
      value: ((watch[0]?.cpuMs ?? 0) / ROWS) * 1000,
      unit: "us",
    });
    print({ ...figure, figure: "pass", value: median(watch.slice(2).map(({ ms }) => ms)), unit: "ms" });
    print({
      ...figure,
      figure: "peak memory of the daemon",
      value: await peakOfDaemon(origin, directory),
      unit: "MiB",
    });
  } finally {
    shop.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

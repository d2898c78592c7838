// How many sessions nexusd can poll where no server limits it: polls a second, processor time for each against a bare
// loop of undici that fetches and parses the same answers, and memory with 10,000 sessions; all messages are stored.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "../src/scheduler/clock.ts";
import { newSession, SESSION_KIND } from "../src/services/messaging/session.ts";
import { openStore } from "../src/store/sqlite.ts";
import { print } from "./figure.ts";
import { cpuMs, end, resident, sleep, startDaemon } from "./process.ts";

const SIZES = [100, 10_000];
const WARM_UP_MS = 10_000;
const WATCH_MS = 10_000;
/** As many as nexusd has under way at once. */
const PLACES = 16;
/** One poll in so many finds a message. */
const EVERY = 20;

const start = (file: string, ...args: string[]) =>
  spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });

interface Counted {
  polls: number;
  made: number;
}

async function startServer() {
  const child = start("polled.ts", String(EVERY));
  const [origin] = (await once(createInterface(child.stdout), "line")) as [string]; // its one line
  const count = async (path = "/count"): Promise<Counted> =>
    (await (await fetch(origin + path)).json()) as Counted;
  return { child, origin, count };
}

interface Cost {
  perSecond: number;
  /** Processor time for each poll, in µs. */
  cpuUs: number;
  mib: number;
}

async function watch(poller: ChildProcess, count: () => Promise<Counted>): Promise<Cost> {
  await sleep(WARM_UP_MS);
  const before = { cpu: cpuMs(poller), polls: (await count()).polls, at: performance.now() };
  await sleep(WATCH_MS);
  const polls = (await count()).polls - before.polls;
  const cpu = cpuMs(poller) - before.cpu;
  return {
    perSecond: (polls / (performance.now() - before.at)) * 1000,
    cpuUs: (cpu * 1000) / polls,
    mib: resident(poller),
  };
}

async function bare(sessions: number): Promise<Cost> {
  const server = await startServer();
  const poller = start("fetcher.ts", server.origin, String(sessions), String(PLACES));
  const cost = await watch(poller, server.count);
  await end(poller);
  await end(server.child);
  return cost;
}

const mean = (a: Cost, b: Cost): Cost => ({
  perSecond: (a.perSecond + b.perSecond) / 2,
  cpuUs: (a.cpuUs + b.cpuUs) / 2,
  mib: (a.mib + b.mib) / 2,
});

/** Joined long ago, so that every request is a poll. */
async function fill(dataDir: string, sessions: number, baseUrl: string): Promise<void> {
  const store = await openStore({ dataDir, clock: systemClock });
  const put = Array.from({ length: sessions }, (_, n) => {
    const session = newSession({ sessionId: `session-${n}`, alias: null, baseUrl, agentId: "nexusd" });
    const joinedAt = new Date().toISOString();
    return { kind: SESSION_KIND, key: session.sessionId, value: { ...session, state: "joined", joinedAt } };
  });
  await store.commitObservation({ source: "bench", put });
  await store.close();
}

async function nexusd(sessions: number): Promise<Cost & { made: number; stored: number }> {
  const server = await startServer();
  const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
  const dataDir = join(directory, "data");
  await fill(dataDir, sessions, server.origin);
  const config = join(directory, "nexusd.toml");
  writeFileSync(
    config,
    `[daemon]\ndata_dir = "${dataDir}"\nlog_level = "warn"\nlog_format = "json"
[messaging]\nbase_url = "${server.origin}"\nrequests_per_minute = 6000000
[nex]\nenabled = false\n[nexus]\nenabled = false\n`,
  );
  const daemon = startDaemon(config, { stdio: "inherit" });
  const cost = await watch(daemon, server.count);
  const { made, polls } = await server.count("/stop");
  while ((await server.count()).polls < polls + 3 * sessions) await sleep(100);
  await end(daemon, "SIGTERM");
  const store = await openStore({ dataDir, clock: systemClock });
  let stored = 0;
  for (let after = 0; ; ) {
    const { events, next } = await store.readEvents({
      after,
      limit: 10_000,
      types: ["messaging.message.received"],
    });
    stored += events.length;
    if (events.length === 0) break;
    after = next;
  }
  await store.close();
  await end(server.child);
  rmSync(directory, { recursive: true });
  return { ...cost, made, stored };
}

const costs = [];
for (const sessions of SIZES) {
  // Before and after it, since what else the machine does in a minute changes it by a third.
  const before = await bare(sessions);
  const cost = await nexusd(sessions);
  const least = mean(before, await bare(sessions));
  costs.push(cost);
  const figure = { bench: "polls", case: `${sessions} sessions` };
  print({ ...figure, figure: "polls", value: cost.perSecond, unit: "per second", baseline: least.perSecond });
  print({ ...figure, figure: "CPU per poll", value: cost.cpuUs, unit: "µs", baseline: least.cpuUs });
  print({ ...figure, figure: "polls on one core", value: 1e6 / cost.cpuUs, unit: "per second" });
  print({ ...figure, figure: "resident memory", value: cost.mib, unit: "MiB" });
  print({ ...figure, figure: "messages stored", value: cost.stored, unit: "messages", baseline: cost.made });
}
const [few, many] = costs;
if (few && many)
  print({
    ...{ bench: "polls", case: "10000 sessions", figure: "CPU per poll, to that of 100", unit: "µs" },
    ...{ value: many.cpuUs, baseline: few.cpuUs },
  });

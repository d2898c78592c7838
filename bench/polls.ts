// How many sessions nexusd can poll if no server limits it: polls per second, CPU time per poll against a bare loop of
// undici that fetches and parses the same answers, and memory with 10,000 sessions; all messages are stored.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "../src/core/clock.ts";
import { newSession, SESSION_KIND } from "../src/services/messaging/membership/session.ts";
import { openStore } from "../src/store/sqlite/store.ts";
import { print } from "./figure.ts";
import { cpuMs, end, resident, sleep, startDaemon } from "./process.ts";

const SIZES = [100, 10_000];
/** Until each of 10,000 sessions was polled a few times: the first poll also requests and stores the members. */
const WARM_UP_MS = 15_000;
/** The pollers take turns, the others paused: other load on the machine can change each of them by a third. */
const ROUNDS = 8;
const TURN_MS = 2000;
/** Until a resumed poller is up to speed again. */
const SETTLE_MS = 300;
/** nexusd's concurrency. */
const PLACES = 16;
/** One poll in this many finds a message. */
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

/** A poller, its server, and the measurements of its turns. */
interface Poller {
  child: ChildProcess;
  server: Awaited<ReturnType<typeof startServer>>;
  cpuMs: number;
  polls: number;
  ms: number;
}

async function begin(child: ChildProcess, server: Poller["server"]): Promise<Poller> {
  await sleep(WARM_UP_MS);
  child.kill("SIGSTOP");
  return { child, server, cpuMs: 0, polls: 0, ms: 0 };
}

async function takeTurn(poller: Poller): Promise<void> {
  const { child, server } = poller;
  child.kill("SIGCONT");
  await sleep(SETTLE_MS);
  const before = { cpu: cpuMs(child), polls: (await server.count()).polls, at: performance.now() };
  await sleep(TURN_MS);
  poller.polls += (await server.count()).polls - before.polls;
  poller.cpuMs += cpuMs(child) - before.cpu;
  poller.ms += performance.now() - before.at;
  child.kill("SIGSTOP");
}

/** `cpuUs`: CPU time per poll. */
const costOf = ({ cpuMs, polls, ms }: Poller) => ({
  perSecond: (polls / ms) * 1000,
  cpuUs: (cpuMs * 1000) / polls,
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

async function prepare(sessions: number) {
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
  const nexusd = await begin(startDaemon(config, { stdio: "inherit" }), server);
  const other = await startServer();
  const fetcher = start("fetcher.ts", other.origin, String(sessions), String(PLACES));
  return { sessions, directory, dataDir, nexusd, bare: await begin(fetcher, other) };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

/** Stops both, after all messages created so far have been read. */
async function finish({ sessions, directory, dataDir, nexusd, bare }: Prepared) {
  await end(bare.child);
  await end(bare.server.child);
  const mib = resident(nexusd.child);
  nexusd.child.kill("SIGCONT");
  const { made, polls } = await nexusd.server.count("/stop");
  while ((await nexusd.server.count()).polls < polls + 3 * sessions) await sleep(100);
  await end(nexusd.child, "SIGTERM");
  const stored = await countStored(dataDir);
  await end(nexusd.server.child);
  rmSync(directory, { recursive: true });
  return { mib, made, stored };
}

async function countStored(dataDir: string): Promise<number> {
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
  return stored;
}

const prepared: Prepared[] = [];
for (const sessions of SIZES) prepared.push(await prepare(sessions));
const pollers = prepared.flatMap(({ nexusd, bare }) => [nexusd, bare]);
for (let round = 0; round < ROUNDS; round++) for (const poller of pollers) await takeTurn(poller);

for (const each of prepared) {
  const { mib, made, stored } = await finish(each);
  const [cost, bare] = [costOf(each.nexusd), costOf(each.bare)];
  const figure = { bench: "polls", case: `${each.sessions} sessions` };
  print({ ...figure, figure: "polls", value: cost.perSecond, unit: "per second", baseline: bare.perSecond });
  print({ ...figure, figure: "CPU per poll", value: cost.cpuUs, unit: "µs", baseline: bare.cpuUs });
  print({ ...figure, figure: "polls on one core", value: 1e6 / cost.cpuUs, unit: "per second" });
  print({ ...figure, figure: "resident memory", value: mib, unit: "MiB" });
  print({ ...figure, figure: "messages stored", value: stored, unit: "messages", baseline: made });
}
const [few, many] = prepared.map(({ nexusd }) => costOf(nexusd));
if (few && many)
  print({
    ...{ bench: "polls", case: "10000 sessions", figure: "CPU per poll, to that of 100", unit: "µs" },
    ...{ value: many.cpuUs, baseline: few.cpuUs },
  });

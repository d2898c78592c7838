// A real daemon under one storm: how long the operator waits, what systemd is told, how much memory it takes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../../src/core/clock.ts";
import { type RecordedNotify, recordNotify } from "../support/systemd-notify.ts";

/** As under systemd, but shorter: a daemon silent for this long would be restarted. */
const WATCHDOG_MS = 6000;
/** Old generation of V8: about what the unit's MemoryMax= of 512 MiB leaves for it. */
const HEAP_MIB = 384;
const LARGE_EVENTS = 400;
const INSIGHTS = 4000;
const PROBE_EVERY_MS = 15;
/** An operator who waited this long counts as one who got no answer. */
const PATIENCE_MS = 60_000;

/** In milliseconds. */
export interface Waits {
  requests: number;
  p50: number;
  p99: number;
  max: number;
}

export interface Measured {
  /** How the daemon ended, if it did: an exit code or a signal. */
  ended: string | null;
  /** How long the operator waited for her answers. */
  operator: Waits;
  /** The same for an otherwise idle daemon beside it, at the same time: the machine's share. */
  beside: Waits;
  /** The longest time between two pings, from the start of the storm to its end, in milliseconds. */
  longestWithoutPing: number;
  /** The peak resident memory, in MiB. */
  residentMiB: number;
  walMiB: number;
  told: Record<string, number>;
}

const MAIN = "src/daemon/main.ts";

/** @param root the version to measure; its own store fills the log, because the schema is its own */
export async function measureStorm(root: string, name: string, seconds: number): Promise<Measured> {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-hostile-"));
  // A service that accepts every request and answers none.
  const service = createServer(() => {});
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  const { port } = service.address() as AddressInfo; // of a server that listens on TCP
  const daemons: RunningDaemon[] = [];
  try {
    const daemon = await startDaemon(root, join(directory, "stormed"), port);
    daemons.push(daemon);
    const idle = await startDaemon(root, join(directory, "idle"), port);
    daemons.push(idle);
    const pings = pingWatch(daemon.notify);
    const storm = runStorm(name, daemon.socket("agent"), seconds);
    let resident = 0;
    const look = () => {
      resident = Math.max(resident, residentMiB(daemon.process));
      pings.look();
    };
    const isOver = () => storm.isOver() || daemon.ended() !== null;
    const [operator, beside] = await Promise.all([
      askAgain(daemon, isOver, look),
      askAgain(idle, isOver, () => {}),
    ]);
    return {
      ended: daemon.ended(),
      operator,
      beside,
      longestWithoutPing: pings.longest(),
      residentMiB: resident,
      walMiB: sizeMiB(join(daemon.dataDir, "nexusd.db-wal")),
      told: await storm.told,
    };
  } finally {
    for (const daemon of daemons) await daemon.kill();
    service.closeAllConnections();
    service.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface RunningDaemon {
  process: ChildProcess;
  dataDir: string;
  notify: RecordedNotify;
  socket(role: "agent" | "operator"): string;
  /** How it ended, if it did. */
  ended(): string | null;
  end: Promise<void>;
  kill(): Promise<void>;
}

/** Resolves when it is ready. @param servicePort of the service that it knows */
async function startDaemon(root: string, directory: string, servicePort: number): Promise<RunningDaemon> {
  const dataDir = join(directory, "data");
  mkdirSync(dataDir, { mode: 0o700, recursive: true });
  const config = join(directory, "nexusd.toml");
  writeFileSync(
    config,
    `[daemon]\ndata_dir = "${dataDir}"\nlog_level = "warn"\nlog_format = "json"\n[messaging]\nenabled = false\n[nexus]\nenabled = false\n` +
      `[nex]\nbase_url = "http://127.0.0.1:${servicePort}"\napi_key = { source = "env", id = "NEX_API_KEY" }\n[jobs.nex-notifications]\nenabled = false\n`,
  );
  await fillLog(root, dataDir);
  const notify = recordNotify();
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${HEAP_MIB}`, "--max-semi-space-size=1", join(root, MAIN), "--config", config],
    {
      env: {
        ...process.env,
        ...notify.env,
        NEX_API_KEY: "key-of-nobody",
        WATCHDOG_USEC: `${WATCHDOG_MS * 1000}`,
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-20_000);
  });
  let ended: string | null = null;
  const end = once(child, "exit").then(([code, signal]) => {
    ended = String(signal ?? code);
  });
  const daemon: RunningDaemon = {
    ...{ process: child, dataDir, notify, end },
    socket: (role) => join(dataDir, `${role}.sock`),
    ended: () => ended,
    async kill() {
      child.kill("SIGKILL");
      await end;
      notify.remove();
    },
  };
  while (!notify.messages().some(([field]) => field === "READY=1")) {
    if (ended !== null) {
      notify.remove();
      throw new Error(`the daemon ended before it was ready: ${errors}`);
    }
    await sleep(20);
  }
  return daemon;
}

/** In its own process, so that it does not disturb the measurement. */
function runStorm(name: string, socket: string, seconds: number) {
  const storm = spawn(
    process.execPath,
    [join(import.meta.dirname, "storms.ts"), name, socket, `${seconds}`],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let text = "";
  storm.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  let isOver = false;
  const told = once(storm, "exit").then((): Record<string, number> => {
    isOver = true;
    return JSON.parse(text || "{}");
  });
  return { told, isOver: () => isOver };
}

/** One request after the other until the time is up. */
async function askAgain(daemon: RunningDaemon, isOver: () => boolean, look: () => void): Promise<Waits> {
  const waits: number[] = [];
  while (!isOver()) {
    const began = performance.now();
    await Promise.race([askOperator(daemon.socket("operator")), daemon.end]);
    waits.push(performance.now() - began);
    look();
    await sleep(PROBE_EVERY_MS);
  }
  return {
    requests: waits.length,
    p50: quantile(waits, 0.5),
    p99: quantile(waits, 0.99),
    max: Math.max(0, ...waits),
  };
}

/** Long enough for an expensive answer to leave unread, and for an expensive search. */
async function fillLog(root: string, dataDir: string): Promise<void> {
  const load = (file: string) => import(pathToFileURL(join(root, file)).href);
  // Before it had a folder of its own, SQLite's store was one file.
  const [found] = ["src/store/sqlite/store.ts", "src/store/sqlite.ts"].filter((file) =>
    existsSync(join(root, file)),
  );
  const { openStore } = await load(found ?? "src/store/sqlite/store.ts");
  const store = await openStore({ dataDir, clock: systemClock });
  const text = "x".repeat(2 ** 15);
  const event = (n: number) => ({
    type: "messaging.message.received",
    source: "/messaging/sessions/session-1",
    data: {
      ...{ sessionId: "session-1", alias: null, messageId: `m-${n}`, cursor: `${n}` },
      ...{ agentId: "peer", text, verified: true, expiresAt: null },
    },
  });
  await store.commitObservation({
    source: "test",
    events: Array.from({ length: LARGE_EVENTS }, (_, n) => event(n)),
  });
  const words = Array.from({ length: 200 }, (_, n) => `${(n * 7919).toString(36)}word${n}`);
  const insight = (n: number) => ({
    type: "nex.insight.received",
    source: "/nex/insights",
    data: {
      insight: {
        ...{ id: `i-${n}`, type: "risk", confidence: 0.5, confidence_level: "medium" },
        content: Array.from({ length: 40 }, (_, k) => words[(n * 31 + k * k) % words.length]).join(" "),
        target: { hint: `company ${words[n % words.length]}`, entity_type: "company" },
      },
      ...{ workspace: null, origin: "live" },
    },
  });
  for (let n = 0; n < INSIGHTS; n += 500)
    await store.commitObservation({
      source: "test",
      events: Array.from({ length: 500 }, (_, k) => insight(n + k)),
    });
  await store.close();
}

function pingWatch(notify: ReturnType<typeof recordNotify>) {
  const pings = () => notify.messages().filter(([field]) => field === "WATCHDOG=1").length;
  let seen = pings();
  let last = performance.now();
  let longest = 0;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    const there = pings();
    if (there > seen) last = now;
    seen = there;
  };
  return {
    look,
    longest: () => {
      look();
      return Math.round(longest);
    },
  };
}

/** The first request of a person's tool. Resolves when it is answered, or when a person would have given up. */
const askOperator = (socketPath: string) =>
  new Promise<void>((resolve) => {
    const asked = request(
      { socketPath, path: "/v1/status", headers: { host: "nexusd" }, agent: false },
      (response) => {
        response.resume();
        response.once("close", resolve);
      },
    );
    asked.setTimeout(PATIENCE_MS, () => asked.destroy());
    asked.once("error", () => resolve());
    asked.end();
  });

function residentMiB({ pid }: ChildProcess): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function sizeMiB(path: string): number {
  try {
    return readFileSync(path).length / 2 ** 20;
  } catch {
    return 0;
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const quantile = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  findStuck,
  isStuck,
  runWatchdog,
  statusLine,
  type WatchdogOptions,
} from "../../src/daemon/watchdog.ts";
import type { JobPulse } from "../../src/scheduler/job.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

const NOW = Date.UTC(2026, 0, 1);
const BOUND = 180_000;

const job = (fields: Partial<JobPulse>): JobPulse => ({
  ...{ name: "poll", state: "ok", intervalMs: 60_000 },
  ...{ runningForMs: null, quietForMs: null, overdueForMs: null },
  ...fields,
});

describe("a job counts as stuck", () => {
  test.each<[string, boolean, Partial<JobPulse>]>([
    ["when its run has no end", true, { runningForMs: BOUND + 1 }],
    ["not while its run may still end", false, { runningForMs: BOUND }],
    ["not while a long run shows progress", false, { runningForMs: 10 * BOUND, quietForMs: 1000 }],
    ["when a run shows no progress any more", true, { runningForMs: 10 * BOUND, quietForMs: 2 * BOUND }],
    [
      "not when a run has just begun after a long rest",
      false,
      { runningForMs: 1000, quietForMs: 10 * BOUND, intervalMs: 10 },
    ],
    ["when it was due and did not begin", true, { overdueForMs: BOUND + 1 }],
    ["not when it is due now", false, { overdueForMs: 0 }],
    ["not when it is due later", false, { overdueForMs: -5000 }],
    [
      "not by a bound shorter than three of its intervals",
      false,
      { overdueForMs: BOUND + 1, intervalMs: BOUND },
    ],
    ["not when it is disabled", false, { state: "disabled", overdueForMs: 10 * BOUND }],
    ["not when a person paused it", false, { state: "paused", runningForMs: 10 * BOUND }],
    ["not when its file was never a job", false, { state: "invalid", overdueForMs: 10 * BOUND }],
    ["not while it fails and tries again", false, { state: "failing", overdueForMs: -1000 }],
  ])("%s", (_, expected, fields) => {
    expect(isStuck(job(fields), BOUND)).toBe(expected);
  });

  test("never because of what happened within its limit, always because of an older run", () => {
    const time = fc.integer({ min: 0, max: 3_600_000 });
    fc.assert(
      fc.property(time, fc.integer({ min: 0, max: 3_600_000 }), time, (age, intervalMs, boundMs) => {
        const bound = Math.max(boundMs, 3 * intervalMs);
        const running = job({ runningForMs: age, intervalMs });
        const due = job({ overdueForMs: age, intervalMs });
        expect(isStuck(running, boundMs)).toBe(age > bound);
        expect(isStuck(due, boundMs)).toBe(age > bound);
      }),
    );
  });
});

describe("the status line for systemctl", () => {
  test.each([
    [
      "polling 12 sessions, Nex live, Nexus ok, 2 writes wait for approval",
      ["polling 12 sessions", "Nex live", "Nexus ok"],
      2,
    ],
    ["polling 1 session, 1 write waits for approval", ["polling 1 session"], 1],
    ["Nexus degraded", ["Nexus degraded"], 0],
    ["running; every service is disabled", [], 0],
  ])("%s", async (expected, lines, proposed) => {
    const store = { countWrites: async () => ({ proposed }) } as unknown as WatchdogOptions["store"]; // no more is read
    expect(await statusLine({ lines: () => lines, store })).toBe(expected);
  });
});

describe("the watchdog", () => {
  let directory: string;
  let server: Server;
  let clock: FakeClock;
  let stop: AbortController;
  let answer: number | undefined;
  let probe: () => Promise<void>;
  let pulses: JobPulse[];
  let pings: number[];
  let lines: { level: number; stuck?: string[] }[];
  let options: WatchdogOptions;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "nexusd-watchdog-"));
    answer = 200;
    probe = async () => {};
    pulses = [];
    pings = [];
    lines = [];
    stop = new AbortController();
    clock = createFakeClock(NOW);
    server = createServer((_, response) => {
      if (answer !== undefined) response.writeHead(answer).end("{}");
    });
    const socket = join(directory, "agent.sock");
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const nothing = async () => {};
    options = {
      notifier: {
        ...{ watchdogMs: 60_000, ready: nothing, status: nothing, reloading: nothing },
        ...{ stopping: nothing, extendTimeout: nothing },
        ping: async () => void pings.push(clock.monotonic()),
      },
      store: {
        probe: () => probe(),
        countWrites: () => Promise.reject(new Error("not asked for here")),
      },
      pulses: () => pulses,
      lines: () => [],
      ...{ socket, clock, signal: stop.signal },
      log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    };
  });
  afterEach(async () => {
    stop.abort();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  /** Until the current self-check has ended: it uses a real socket. */
  const advance = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 5000) {
      await clock.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 10));
      await clock.settle();
    }
  };

  test("pings several times within its period while everything moves", async () => {
    const kept = runWatchdog(options);
    await advance(60_000);
    stop.abort();
    await clock.settle();
    await kept;
    expect(pings.length).toBeGreaterThanOrEqual(3);
    expect(lines).toEqual([]);
  });

  test("stops pinging while a job is stuck, which the log reports once, and resumes afterwards", async () => {
    pulses = [job({ name: "stock", runningForMs: 3_600_000 })];
    void runWatchdog(options);
    await advance(60_000);
    expect(pings).toEqual([]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 50, stuck: ["the job stock makes no progress"] });
    pulses = [];
    await advance(5000);
    expect(pings).toHaveLength(1);
  });

  test.each<[string, string, () => void]>([
    [
      "the database accepts no commits",
      "the database accepts no commits",
      () => {
        probe = () => Promise.reject(new Error("disk full"));
      },
    ],
    [
      "a commit never ends",
      "the database accepts no commits",
      () => {
        probe = () => new Promise(() => {});
      },
    ],
    [
      "the control socket answers with an error",
      "the control socket does not answer",
      () => {
        answer = 503;
      },
    ],
    [
      "the control socket takes the request and says nothing",
      "the control socket does not answer",
      () => {
        answer = undefined;
      },
    ],
  ])("stops pinging while %s", async (_, said, damage) => {
    damage();
    const found = findStuck(options);
    await clock.settle();
    await advance(15_000);
    expect(await found).toEqual([said]);
  });

  test("stops pinging while nothing listens on the control socket", async () => {
    await new Promise((resolve) => server.close(resolve));
    await nobodyListensAt(options.socket);
    expect(await findStuck(options)).toEqual(["the control socket does not answer"]);
    await rm(options.socket);
    await new Promise<void>((resolve) => server.listen(options.socket, resolve));
  });

  // Under systemd no restart of nexusd can fix it: it would be restarted every minute for ever.
  test("keeps pinging while the file of the control socket is gone", async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await findStuck(options)).toEqual([]);
    await new Promise<void>((resolve) => server.listen(options.socket, resolve));
  });
});

/** Leaves the file of a socket behind, as a killed process does. */
async function nobodyListensAt(path: string): Promise<void> {
  const code =
    "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  await once(spawn(process.execPath, ["-e", code, path]), "exit");
}

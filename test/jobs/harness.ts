// A job as the daemon runs it, in this process: real store, real HTTP to the stand-ins, and a fake clock.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "smol-toml";
import { onTestFinished } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { Secret } from "../../src/config/secrets.ts";
import { createRedactor } from "../../src/core/redaction.ts";
import { createSteadyClock } from "../../src/core/steady-clock.ts";
import { createLog } from "../../src/daemon/log.ts";
import { startServices } from "../../src/daemon/services.ts";
import { createBudgets } from "../../src/http/budgets.ts";
import type { Job, JobStatus } from "../../src/scheduler/job.ts";
import { createScheduler } from "../../src/scheduler/scheduler.ts";
import { createCounts } from "../../src/services/counts.ts";
import type { Services } from "../../src/services/services.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import type { SeenEvent } from "../support/daemon.ts";
import { isStreaming } from "../support/exchanges.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/store.ts";

export interface JobHarness {
  clock: FakeClock;
  services: Services;
  events(type?: string): Promise<SeenEvent[]>;
  job(): JobStatus;
  log(): string;
  /** Moves the time in steps until the condition holds; fails after `limitMs` of the job's own time. */
  advanceUntil(
    condition: () => unknown | Promise<unknown>,
    what: string,
    options?: { stepMs?: number; limitMs?: number },
  ): Promise<void>;
  /** Moves the time in steps, and gives the network its time in between. */
  advance(ms: number, stepMs?: number): Promise<void>;
  /** Ends it like a SIGKILL, as far as this process can: everything in progress is cut off, nothing is written. */
  kill(): Promise<void>;
}

// The time that a stream's events take on the loopback, with a stand-in that sends keepalives every 10 ms.
const BREATH_MS = 15;

export interface JobSurroundings {
  clock?: FakeClock;
  /** With the files that an earlier run left there. */
  dataDir?: string;
}

export async function runJob(
  job: Job,
  toml: string,
  surroundings: JobSurroundings = {},
): Promise<JobHarness> {
  const { clock = createFakeClock(Date.now()), dataDir = temporaryDirectory() } = surroundings;
  const config = configSchema.parse(parse(toml));
  const store = await openStore({ dataDir, clock });
  let logged = "";
  const log = await createLog({
    level: "debug",
    format: "json",
    env: {},
    redactor: createRedactor(),
    destination: {
      write: (line) => {
        logged += line;
      },
    },
  });
  const random = () => 0.5;
  const running = await startServices({
    store,
    clock,
    steady: createSteadyClock(clock),
    random,
    version: "test",
    log,
    redactor: createRedactor(),
    budgets: createBudgets({ clock, directory: join(dataDir, "budgets") }),
    counts: createCounts(),
  });
  await running.recall();
  running.connect({
    config,
    secrets: {
      nex: { api_key: new Secret("sk-test") },
      nexus: { api_key: new Secret("nxs_ak_test"), anon_key: new Secret("anon") },
    },
  });
  const { clients: services } = running;
  const scheduler = createScheduler({
    jobs: [job],
    context: { config, store, services, clock, steady: createSteadyClock(clock), random, log },
  });
  scheduler.start();
  const stop = async () => {
    const stopped = scheduler.stop(1000);
    await clock.advance(1000);
    await stopped;
    await store.close();
  };
  onTestFinished(stop);

  const breathe = async () => {
    if (isStreaming()) await sleep(BREATH_MS);
  };
  const harness: JobHarness = {
    clock,
    services,
    async events(type) {
      const { events } = await store.readEvents({
        after: 0,
        limit: 100_000,
        ...(type ? { types: [type] } : {}),
      });
      return events.map(({ json }) => JSON.parse(json));
    },
    job: () => scheduler.list()[0] as JobStatus, // there is exactly one
    log: () => logged,
    async advanceUntil(condition, what, { stepMs = 1000, limitMs = 30 * 60_000 } = {}) {
      for (let passed = 0; !(await condition()); passed += stepMs) {
        if (passed > limitMs) throw new Error(`in vain for ${limitMs} ms: ${what}\n${logged.slice(-2000)}`);
        await clock.advance(stepMs);
        await breathe();
      }
    },
    async advance(ms, stepMs = 1000) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        await clock.advance(Math.min(stepMs, ms - passed));
        await breathe();
      }
    },
    async kill() {
      const stopped = scheduler.stop(0);
      // As long as a commit may wait for others.
      await clock.advance(5);
      await stopped;
      await store.close();
    },
  };
  return harness;
}

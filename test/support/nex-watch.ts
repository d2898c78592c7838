// The watch over the insights on a model of Nex: real HTTP client, parser and store, on a fake clock, without sockets.

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import pino from "pino";
import { onTestFinished } from "vitest";
import type { Random } from "../../bench/traffic.ts";
import type { Failure } from "../../src/contract/new-event.ts";
import { createBudget } from "../../src/http/budget.ts";
import { createHistogram } from "../../src/services/counts.ts";
import type { JobContext } from "../../src/services/job.ts";
import { createNexClient, INSIGHT_DELAY_BOUNDS, type StreamStatus } from "../../src/services/nex/client.ts";
import { watchInsights } from "../../src/services/nex/stream.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import type { SeenEvent } from "./daemon.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { limitsOf } from "./limits.ts";
import { createNexModel, type NexModel, type Weather } from "./nex-model.ts";
import { temporaryDirectory } from "./store.ts";

// Thousands of commits, none of which must survive a crash: in memory if possible.
const SHM = "/dev/shm";

export interface Watched {
  clock: FakeClock;
  model: NexModel;
  status: StreamStatus;
  /** The job's own state. */
  degraded(): Failure | undefined;
  events(type?: string): Promise<SeenEvent[]>;
  /** The contents of the insights in the log. */
  contents(): Promise<string[]>;
  /** When the list was requested, in monotonic milliseconds. */
  polls(): number[];
  stop(): Promise<void>;
}

export const CALM: Weather = {
  latencyMs: () => 50,
  streamFault: () => undefined,
  listFault: () => undefined,
  bytesUntilCut: () => Number.POSITIVE_INFINITY,
  stallMs: () => 0,
  copies: () => 1,
};

export async function watchModel(options: {
  random: Random;
  weather: Weather;
  retention?: number;
  isReplayVague?: boolean;
  /** Of one insight. */
  mostBytes?: number;
}): Promise<Watched> {
  const { random, weather, retention = 1e6, isReplayVague = false } = options;
  const clock = createFakeClock(Date.UTC(2026, 10, 21, 8));
  const over = new AbortController();
  const model = createNexModel({ clock, random, weather, signal: over.signal, retention, isReplayVague });
  const store = await openStore({ dataDir: temporaryDirectory(existsSync(SHM) ? SHM : tmpdir()), clock });
  const nex = createNexClient({
    ...{ http: model.http, clock, random, idleTimeoutMs: 90_000, timeoutMs: 120_000 },
    texts: createBudget({ limit: 10, reserve: 0, clock }),
    delays: createHistogram(INSIGHT_DELAY_BOUNDS),
  });
  let degraded: Failure | undefined;
  const context = {
    ...{ clock, random, store, services: { nex }, log: pino({ level: "silent" }) },
    ...{ signal: over.signal, progress: () => {} },
    config: { limits: limitsOf(options.mostBytes === undefined ? {} : { insight_bytes: options.mostBytes }) },
    degraded: (failure: Failure | undefined) => {
      degraded = failure;
    },
  } as unknown as JobContext; // The parts that the watch gets; the other services are absent.
  const watching = watchInsights(context);
  const stop = async () => {
    over.abort();
    await watching;
  };
  onTestFinished(async () => {
    await stop();
    await store.close();
  });
  const events = async (type?: string): Promise<SeenEvent[]> => {
    const page = await store.readEvents({ after: 0, limit: 1_000_000, ...(type && { types: [type] }) });
    return page.events.map(({ json }) => JSON.parse(json));
  };
  return {
    ...{ clock, model, status: nex.status, events, stop },
    degraded: () => degraded,
    contents: async () => (await events("nex.insight.received")).map(({ data }) => data.insight.content),
    polls: () => model.requests.filter(({ path }) => path.includes("/insights?")).map(({ at }) => at),
  };
}

// How soon a command runs for an event: from the commit that made it durable to the command's first action. The sinks
// have no debounce, so that nothing is delayed on purpose; each command is `touch`, and the time is that of its file.

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { NewEvent } from "../src/contract/new-event.ts";
import { systemClock as clock } from "../src/core/clock.ts";
import { createFigures } from "../src/sinks/figures.ts";
import type { SinkSettings } from "../src/sinks/settings.ts";
import { createSinks } from "../src/sinks/sinks.ts";
import { openStore } from "../src/store/sqlite/store.ts";
import { median, print } from "./figure.ts";
import { sleep } from "./process.ts";

const SINKS = 10;
/** Commands per second, over all sinks. */
const RATE = 20;
const SECONDS = 30;

const directory = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
mkdirSync(join(directory, "ran"));
const store = await openStore({ dataDir: join(directory, "data"), clock });
const sinks = createSinks({
  ...{ store, clock, random: Math.random, figures: createFigures(), version: "bench" },
  steady: { ageOf: (at) => Math.max(0, Date.now() - at) },
  log: pino({ level: "silent" }),
  agentSocket: join(directory, "agent.sock"),
  http: () => {
    throw new Error("no sink of this benchmark sends anything");
  },
});

const ranAt = (sink: string): number | undefined =>
  statSync(join(directory, "ran", sink), { throwIfNoEntry: false })?.mtimeMs;

const sinkOf = (name: string, type: string): SinkSettings => ({
  ...{ name, consumer: name, kind: "exec", types: [type], debounce: 0, stuck_after: 600_000 },
  ...{ max_wakes_per_hour: 3600, timeout: 10_000, env: {}, pass_env: [] },
  command: ["touch", join(directory, "ran", name)],
});

// An own job may log types that the compiler does not know.
const event = (type: string) => ({ type, source: "/bench", data: {} }) as unknown as NewEvent;

/** Logs the event, waits until the commands of these sinks have run, and acknowledges it for their readers. */
async function handOver(type: string, names: readonly string[]): Promise<number[]> {
  const before = names.map(ranAt);
  const { latest } = await store.commitObservation({ source: "bench", events: [event(type)] });
  const durableAt = performance.timeOrigin + performance.now();
  return await Promise.all(
    names.map(async (name, index) => {
      for (;;) {
        const at = ranAt(name);
        if (at !== undefined && at !== before[index]) {
          await store.ackConsumer(name, latest);
          return Math.max(0, at - durableAt);
        }
        await sleep(1);
      }
    }),
  );
}

async function measure(
  title: string,
  perSecond: number,
  next: (n: number) => [type: string, names: string[]],
) {
  const under: Promise<number[]>[] = [];
  /** By sink: an event between a wake and its acknowledgement would wait for the next step of the ladder, by design. */
  const last = new Map<string, Promise<unknown>>();
  const begin = performance.now();
  for (let n = 0; n < perSecond * SECONDS; n++) {
    await sleep(Math.max(0, begin + (n * 1000) / perSecond - performance.now()));
    const [type, names] = next(n);
    const one = Promise.all(names.map((name) => last.get(name))).then(() => handOver(type, names));
    for (const name of names) last.set(name, one);
    under.push(one);
  }
  const delays = (await Promise.all(under)).flat();
  const sorted = delays.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
  for (const [figure, value] of [
    ["event durable to command started, median", median(delays)],
    ["event durable to command started, p99", p99],
  ] as const)
    print({ bench: "handover", case: title, figure, value, unit: "ms" });
}

try {
  const names = Array.from({ length: SINKS }, (_, n) => `s${n}`);
  await sinks.configure({ sinks: names.map((name) => sinkOf(name, `bench.${name}`)), secrets: () => ({}) });
  await measure(`${RATE} events a second, each for one of ${SINKS} sinks`, RATE, (n) => {
    const name = names[n % SINKS] ?? "";
    return [`bench.${name}`, [name]];
  });
  await sinks.configure({ sinks: names.map((name) => sinkOf(name, "bench.all")), secrets: () => ({}) });
  await measure(`${RATE / SINKS} events a second, each for all of ${SINKS} sinks`, RATE / SINKS, () => [
    "bench.all",
    names,
  ]);
} finally {
  await sinks.stop(5000);
  await store.close();
  rmSync(directory, { recursive: true, force: true });
}

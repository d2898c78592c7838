// What the size of the log costs: a page, a filtered page and an append with 10^4 to NEXUSD_GROWTH (10^6) events, against
// the same with 10^4; and how long retention of nine tenths of them holds the event loop up, and what it leaves of the file.

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { NewEvent } from "../src/contract/new-event.ts";
import type { EventQuery, Store } from "../src/contract/store.ts";
import { systemClock } from "../src/core/clock.ts";
import { openStore } from "../src/store/sqlite/store.ts";
import { median, print } from "./figure.ts";

const MOST = Number(process.env.NEXUSD_GROWTH ?? 1e6);
const SIZES = [1e4, 1e5, 1e6, 1e7].filter((size) => size <= MOST);
const AT_ONCE = 1000;
const TIMES = 300;
const PAGE = 100;

const event = (n: number): NewEvent =>
  n % 10 === 0
    ? { type: "daemon.started", source: "/daemon/3", data: { version: `${n}`, pid: n } }
    : {
        type: "daemon.stopped",
        source: `/daemon/${n % 7}`,
        data: { reason: `${n} ${"lorem ipsum ".repeat(16)}` },
      };

const micros = async (work: (n: number) => Promise<unknown>): Promise<number> => {
  const taken: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    const startedAt = performance.now();
    await work(n);
    taken.push((performance.now() - startedAt) * 1000);
  }
  return median(taken);
};

const append = async (store: Store, from: number, to: number) => {
  for (let n = from; n < to; n += AT_ONCE) {
    const events = Array.from({ length: Math.min(AT_ONCE, to - n) }, (_, index) => event(n + index));
    await store.commitObservation({ source: "bench", events });
  }
};

const CASES: Record<string, Partial<EventQuery>> = {
  "a page": {},
  "a page of one type": { types: ["daemon.started"] },
  "a page of one source": { source: "/daemon/3" },
};

const first: Record<string, number> = {};
const show = (name: string, size: number, value: number) => {
  first[name] ??= value;
  const figure = { bench: "growth", case: `${size} events`, figure: name, value, unit: "µs" };
  print({ ...figure, baseline: first[name] });
};

for (const size of SIZES) {
  const dataDir = mkdtempSync(join(tmpdir(), "nexusd-bench-"));
  const store = await openStore({ dataDir, clock: systemClock });
  await append(store, 0, size);
  for (const [name, query] of Object.entries(CASES)) {
    // What comes before most of the log, so that each page is full.
    const room = Math.max(1, size - 60 * PAGE);
    show(
      name,
      size,
      await micros((n) => store.readEvents({ ...query, after: (n * 7919) % room, limit: PAGE })),
    );
  }
  show("an append", size, await micros((n) => append(store, size + n, size + n + 1)));

  const file = join(dataDir, "nexusd.db");
  const before = statSync(file).size;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const startedAt = performance.now();
  delay.enable();
  const { removed } = await store.pruneEvents({ keep: size / 10 });
  delay.disable();
  const figure = { bench: "growth", case: `retention of ${removed} events` };
  print({ ...figure, figure: "event loop delay, p99", value: delay.percentile(99) / 1e6, unit: "ms" });
  print({ ...figure, figure: "event loop delay, max", value: delay.max / 1e6, unit: "ms" });
  print({ ...figure, figure: "in all", value: performance.now() - startedAt, unit: "ms" });
  const [value, baseline] = [statSync(file).size / 2 ** 20, before / 2 ** 20];
  print({ ...figure, figure: "file afterwards, of before", value, unit: "MiB", baseline });
  await store.close();
  rmSync(dataDir, { recursive: true });
}

// How long messages wait: round robin, the optimum with known rates, and nexusd's pacing, over twelve hours of
// simulated traffic; and the cost of a decision with 100, 1,000 and 10,000 sessions.

import { createPacing, type Pacing } from "../src/services/messaging/pacing/pacing.ts";
import { print } from "./figure.ts";
import {
  bursty,
  type Conversations,
  type Delays,
  knownRates,
  type Policy,
  type Random,
  roundRobin,
  seeded,
  simulate,
  steady,
  type Traffic,
  zipfRates,
} from "./traffic.ts";

const HOUR_MS = 3_600_000;
const END_MS = 12 * HOUR_MS;
const PACE_MS = 60_000 / 90;
const MAX_STALENESS_MS = 60_000;
/** None of these was used to choose the constants of the model. */
const SEEDS = [101, 202, 303, 404, 505];
const SIZES = [10, 30, 100, 300];
/** Twelve messages per hour and session. */
const MEAN_RATE = 12 / HOUR_MS;
/** Four minutes with a message every 20 s: with it, a filter that knows these numbers is at the figures of the notes. */
const conversations = (active: number): Conversations => ({ active, meanActiveMs: 240_000, gapMs: 20_000 });

interface Kind {
  name: string;
  /** The rates, if they are constant. */
  rates?: (n: number) => number[];
  traffic: (random: Random, n: number) => Traffic;
}

const equalRates = (n: number) => Array.from({ length: n }, () => MEAN_RATE);
const zipf = (n: number) => zipfRates(n, MEAN_RATE);
const KINDS: Kind[] = [
  { name: "equal", rates: equalRates, traffic: (random, n) => steady(random, equalRates(n), END_MS) },
  { name: "Zipf", rates: zipf, traffic: (random, n) => steady(random, zipf(n), END_MS) },
  ...[0.05, 0.01].map((active) => ({
    name: `bursty ${active * 100} %`,
    traffic: (random: Random, n: number) => bursty(random, n, conversations(active), END_MS),
  })),
];

function add(pacing: Pacing, n: number): Pacing {
  for (let session = 0; session < n; session++) pacing.add(String(session), 0);
  return pacing;
}

function ours(n: number): Policy {
  const pacing = add(createPacing({ paceMs: PACE_MS, maxStalenessMs: MAX_STALENESS_MS }), n);
  return {
    next: (nowMs) => Number(pacing.next(nowMs)),
    polled: (session, nowMs, messages) => pacing.polled(String(session), nowMs, messages),
  };
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The mean over the seeds. */
function average(runs: Delays[]): Delays {
  return { meanMs: mean(runs.map(({ meanMs }) => meanMs)), p95Ms: mean(runs.map(({ p95Ms }) => p95Ms)) };
}

/** The mean and the 95th percentile, with their baselines. */
function report(name: string, who: string, delays: Delays, baseline?: Delays): void {
  const figure = { bench: "pacing", case: name, unit: "s" };
  const compare = (ms?: number) => (ms === undefined ? {} : { baseline: ms / 1000 });
  print({ ...figure, figure: `${who}, mean`, value: delays.meanMs / 1000, ...compare(baseline?.meanMs) });
  print({ ...figure, figure: `${who}, p95`, value: delays.p95Ms / 1000, ...compare(baseline?.p95Ms) });
}

for (const kind of KINDS)
  for (const n of SIZES) {
    const traffics = SEEDS.map((seed) => kind.traffic(seeded(seed * 1000 + n), n));
    const run = (policy: () => Policy, fromMs = 0) =>
      average(
        traffics.map((traffic) => simulate(traffic, policy(), { paceMs: PACE_MS, endMs: END_MS, fromMs })),
      );
    const name = `${kind.name}, n = ${n}`;
    const inTurn = run(() => roundRobin(n));
    report(name, "round robin", inTurn);
    report(
      name,
      "nexusd",
      run(() => ours(n)),
      inTurn,
    );
    if (!kind.rates) continue;
    const rates = kind.rates(n);
    report(
      name,
      "√λ optimum",
      run(() => knownRates(rates)),
      inTurn,
    );
    const learnt = run(() => knownRates(rates), HOUR_MS);
    report(
      name,
      "nexusd after an hour, to the optimum",
      run(() => ours(n), HOUR_MS),
      learnt,
    );
  }

/** The cost of a decision once the sessions are known: `next` and `polled`, on bursty traffic. */
function cost(n: number): { us: number; work: number } {
  const decisions = 100_000;
  // The pace grows with n, so that each session is polled as often as before.
  const paceMs = 60_000 / n;
  const pacing = add(createPacing({ paceMs, maxStalenessMs: 30_000 }), n);
  const endMs = (20 * n + decisions) * paceMs;
  const traffic = bursty(seeded(n), n, conversations(0.05), endMs);
  const read = traffic.map(() => 0);
  let slot = 0;
  const poll = () => {
    const nowMs = ++slot * paceMs;
    const id = pacing.next(nowMs) ?? "";
    const session = Number(id);
    const times = traffic[session] ?? [];
    const first = read[session] ?? 0;
    let index = first;
    while ((times[index] ?? Number.POSITIVE_INFINITY) <= nowMs) index += 1;
    read[session] = index;
    pacing.polled(id, nowMs, index - first);
  };
  for (let warmUp = 0; warmUp < 20 * n; warmUp++) poll();
  const begin = process.cpuUsage();
  const workBefore = pacing.work();
  for (let decision = 0; decision < decisions; decision++) poll();
  const { user, system } = process.cpuUsage(begin);
  return { us: (user + system) / decisions, work: (pacing.work() - workBefore) / decisions };
}

const SCALES = [100, 1000, 10_000];
for (const n of SCALES) cost(n);
const costs = SCALES.map((n) => ({ n, ...cost(n) }));
for (const { n, us, work } of costs) {
  const figure = { bench: "pacing", case: `n = ${n}` };
  print({ ...figure, figure: "CPU per decision", value: us, unit: "µs", baseline: costs[0]?.us ?? us });
  print({
    ...figure,
    figure: "work per decision",
    value: work,
    unit: "steps",
    baseline: costs[0]?.work ?? work,
  });
}

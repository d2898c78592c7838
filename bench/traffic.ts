// Simulated messages, and how long they wait under a polling policy: seeded, on a fake clock.

/** A number in [0, 1). */
export type Random = () => number;

/** The generator mulberry32: small, fast, and the same on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The times of the messages of each session, in ms, ascending. */
export type Traffic = number[][];

const exponential = (random: Random, mean: number) => -Math.log(1 - random()) * mean;

function poisson(random: Random, fromMs: number, toMs: number, gapMs: number, into: number[]): void {
  for (let at = fromMs + exponential(random, gapMs); at < toMs; at += exponential(random, gapMs))
    into.push(at);
}

/** Poisson messages at a constant rate (per ms) for each session. */
export function steady(random: Random, rates: number[], endMs: number): Traffic {
  return rates.map((rate) => {
    const times: number[] = [];
    poisson(random, 0, endMs, 1 / rate, times);
    return times;
  });
}

/** Rates proportional to 1/rank, with this mean. */
export function zipfRates(n: number, meanRate: number): number[] {
  const shares = Array.from({ length: n }, (_, rank) => 1 / (rank + 1));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => (share / total) * n * meanRate);
}

/** Conversations: a session is active for a while, with messages at intervals, and silent in between. */
export interface Conversations {
  /** The fraction of time in which a session is active. */
  active: number;
  meanActiveMs: number;
  gapMs: number;
}

export function bursty(random: Random, n: number, shape: Conversations, endMs: number): Traffic {
  const meanSilentMs = (shape.meanActiveMs * (1 - shape.active)) / shape.active;
  return Array.from({ length: n }, () => {
    const times: number[] = [];
    let isActive = random() < shape.active;
    for (let at = 0; at < endMs; isActive = !isActive) {
      const until = Math.min(endMs, at + exponential(random, isActive ? shape.meanActiveMs : meanSilentMs));
      if (isActive) poisson(random, at, until, shape.gapMs, times);
      at = until;
    }
    return times;
  });
}

/** Chooses the session to poll next, and learns from each poll's result. */
export interface Policy {
  next(nowMs: number): number;
  polled(session: number, nowMs: number, messages: number): void;
}

export function roundRobin(n: number): Policy {
  let last = -1;
  return {
    next() {
      last = (last + 1) % n;
      return last;
    },
    polled: () => undefined,
  };
}

/** The optimum for steady traffic with known rates: the largest λτ², which polls in proportion to √λ. */
export function knownRates(rates: number[]): Policy {
  const polledAt = rates.map(() => 0);
  return {
    next(nowMs) {
      let best = 0;
      let largest = -1;
      for (const [session, rate] of rates.entries()) {
        const index = rate * (nowMs - (polledAt[session] ?? 0)) ** 2;
        if (index > largest) [largest, best] = [index, session];
      }
      return best;
    },
    polled(session, nowMs) {
      polledAt[session] = nowMs;
    },
  };
}

export interface Delays {
  meanMs: number;
  p95Ms: number;
}

/** Polls at a constant pace; returns the delays of the messages after `fromMs`. */
export function simulate(
  traffic: Traffic,
  policy: Policy,
  { paceMs, endMs, fromMs = 0 }: { paceMs: number; endMs: number; fromMs?: number },
): Delays {
  const read = traffic.map(() => 0);
  const delays: number[] = [];
  for (let slot = 1; slot * paceMs <= endMs; slot++) {
    const nowMs = slot * paceMs;
    const session = policy.next(nowMs);
    const times = traffic[session] ?? [];
    const first = read[session] ?? 0;
    let index = first;
    for (let at = times[index]; at !== undefined && at <= nowMs; at = times[++index])
      if (at >= fromMs) delays.push(nowMs - at);
    read[session] = index;
    policy.polled(session, nowMs, index - first);
  }
  delays.sort((a, b) => a - b);
  return {
    meanMs: delays.reduce((sum, delay) => sum + delay, 0) / delays.length,
    p95Ms: delays[Math.floor(delays.length * 0.95)] ?? Number.NaN,
  };
}

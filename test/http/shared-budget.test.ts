// A budget that several nodes share, in a simulation: each node has its own clock, stalls and dies, the database is
// slow and loses answers, and a server counts.

import { describe, expect, test } from "vitest";
import type { SharedValue, SharedValues } from "../../src/contract/shared-values.ts";
import { type Clock, createSleep } from "../../src/core/clock.ts";
import type { RequestBudget } from "../../src/http/budget.ts";
import { type Budgets, createBudgets } from "../../src/http/budgets.ts";
import type { Priority } from "../../src/http/shares.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

const WINDOW_MS = 60_000;
const ORIGIN = "https://messaging.example";
const LIMITS = { limit: 100, reserve: 10 };

/** 0 (inclusive) to 1 (exclusive), the same for each seed. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** What the database does to one call. */
type Fault = "none" | "never" | "lost" | "late";

interface Sim {
  clock: FakeClock;
  random: () => number;
  values: Map<string, SharedValue>;
  /** When the server counted each request. */
  counted: number[];
  statements: number;
  /** The longest delay of a statement and of its answer. */
  delayMs: number;
  /** 0 to 1: how often a statement fails. */
  faults: number;
  isDown: boolean;
}

const createSim = (seed = 1, delayMs = 4): Sim => ({
  ...{ clock: createFakeClock(), random: createRandom(seed), values: new Map(), counted: [] },
  ...{ statements: 0, delayMs, faults: 0, isDown: false },
});

class Node {
  readonly #sim: Sim;
  readonly offsetMs: number;
  #stoppedUntil = 0;
  #held: (() => void)[] = [];
  isDead = false;
  sent = 0;
  readonly budgets: Budgets;
  readonly budget: RequestBudget;

  constructor(sim: Sim, name: string, { limits = LIMITS, egress = "one", boot = "" } = {}) {
    this.#sim = sim;
    this.offsetMs = boot === "" ? Math.floor(sim.random() * 1e6) : 0;
    this.budgets = createBudgets({
      clock: this.#clock(),
      fleet: { values: this.#values(), node: name, boot: boot || `${name} ${sim.random()}` },
    });
    this.budget = this.budgets.of(ORIGIN, limits, "messaging", egress);
  }

  /** Runs it when this process runs, and never once it is dead. */
  #run(work: () => void): void {
    if (this.isDead) return;
    if (this.#sim.clock.monotonic() >= this.#stoppedUntil) work();
    else this.#held.push(work);
  }

  /** Like SIGSTOP, and SIGCONT after so long. */
  stop(ms: number): void {
    const { clock } = this.#sim;
    this.#stoppedUntil = Math.max(this.#stoppedUntil, clock.monotonic() + ms);
    clock.after(ms, () => {
      if (clock.monotonic() < this.#stoppedUntil) return;
      for (const work of this.#held.splice(0)) this.#run(work);
    });
  }

  #clock(): Clock {
    const { clock } = this.#sim;
    const after: Clock["after"] = (ms, callback) => clock.after(ms, () => this.#run(callback));
    return {
      now: () => {
        throw new Error("the wall clock of a node decides nothing here");
      },
      monotonic: () => clock.monotonic() + this.offsetMs,
      uptime: () => clock.uptime(),
      after,
      sleep: createSleep(after),
    };
  }

  #values(): SharedValues {
    const sim = this.#sim;
    const pause = () => sim.clock.sleep(Math.floor(sim.random() * (sim.delayMs + 1)));
    const fault = (): Fault => {
      if (sim.isDown) return "never";
      if (sim.random() >= sim.faults) return "none";
      return (["never", "lost", "late"] as const)[Math.floor(sim.random() * 3)] ?? "lost";
    };
    const call = <T>(work: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        sim.statements += 1;
        const how = fault();
        const failed = () => this.#run(() => reject(new Error(`the database: ${how}`)));
        pause().then(async () => {
          if (how === "never") return failed();
          if (how === "late") {
            failed();
            await sim.clock.sleep(Math.floor(sim.random() * 20_000));
            return void work();
          }
          const result = work();
          await pause();
          if (how === "lost") failed();
          else this.#run(() => resolve(result));
        });
      });
    return {
      read: (name) => call(() => sim.values.get(name)),
      swap: (name, version, text) =>
        call(() => {
          if ((sim.values.get(name)?.version ?? 0) !== version) return false;
          sim.values.set(name, { version: version + 1, text });
          return true;
        }),
    };
  }

  /** One request: perhaps stopped before it is on the wire, counted by the server at some time, answered later. */
  async send(
    priority: Priority,
    { exchangeMs = 200, stopMs = 0, signal = new AbortController().signal } = {},
  ) {
    const lease = await this.budget.acquire({ priority, signal });
    const { clock, random, counted } = this.#sim;
    if (stopMs > 0) this.stop(stopMs);
    await new Promise<void>((resolve) => this.#run(resolve));
    if (this.isDead) return;
    this.sent += 1;
    const arrivesMs = Math.floor(random() * exchangeMs);
    clock.after(arrivesMs, () => counted.push(clock.monotonic()));
    await clock.sleep(exchangeMs);
    await new Promise<void>((resolve) => this.#run(resolve));
    lease.done();
  }

  /** Sends as much as it may, with so many requests at once. */
  busy(priority: Priority = "watches", { atOnce = 4, exchangeMs = 200 } = {}): AbortController {
    const end = new AbortController();
    const loop = async () => {
      while (!end.signal.aborted) await this.send(priority, { exchangeMs, signal: end.signal });
    };
    for (let n = 0; n < atOnce; n++) loop().catch(() => {});
    return end;
  }
}

/** The most that the server counted in any window. */
function mostInAWindow(counted: readonly number[]): number {
  const times = counted.toSorted((a, b) => a - b);
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last++) {
    while ((times[last] ?? 0) - (times[first] ?? 0) >= WINDOW_MS) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

const perMinute = (counted: readonly number[], fromMs: number, toMs: number) =>
  (counted.filter((at) => at >= fromMs && at < toMs).length * WINDOW_MS) / (toMs - fromMs);

describe("a budget that nodes share", () => {
  test.each([1, 2, 3])(
    "%i busy nodes of one egress use what the watches may have, and no more",
    async (busy) => {
      const sim = createSim();
      const nodes = ["a", "b", "c"].map((name) => new Node(sim, name));
      for (const node of nodes.slice(0, busy)) node.busy();
      await sim.clock.advance(6 * WINDOW_MS);
      expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(90);
      const rate = perMinute(sim.counted, 2 * WINDOW_MS, 6 * WINDOW_MS);
      expect(rate).toBeGreaterThan(0.95 * 90);
      const [first = 0, ...others] = nodes.slice(0, busy).map(({ sent }) => sent);
      for (const sent of others) expect(Math.abs(sent - first)).toBeLessThan(0.2 * first);
    },
  );

  test("costs each node at most a statement for two requests, and none while nothing is sent", async () => {
    const sim = createSim();
    const node = new Node(sim, "a");
    const end = node.busy();
    await sim.clock.advance(5 * WINDOW_MS);
    expect(sim.statements).toBeLessThan(sim.counted.length);
    end.abort();
    await sim.clock.advance(2 * WINDOW_MS);
    const before = sim.statements;
    await sim.clock.advance(60 * WINDOW_MS);
    expect([sim.statements - before, sim.clock.pending()]).toEqual([0, 0]);
  });

  test("a node that begins later gets its share of a busy one's within two minutes", async () => {
    const sim = createSim();
    const [first, second] = [new Node(sim, "a"), new Node(sim, "b")];
    first.busy();
    await sim.clock.advance(3 * WINDOW_MS);
    second.busy();
    await sim.clock.advance(2 * WINDOW_MS);
    const before = second.sent;
    const from = sim.clock.monotonic();
    await sim.clock.advance(2 * WINDOW_MS);
    expect((second.sent - before) / 2).toBeGreaterThan(0.9 * 45);
    expect(perMinute(sim.counted, from, sim.clock.monotonic())).toBeGreaterThan(0.95 * 90);
    expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(90);
  });

  test("a person's request at one node goes out within a second while another one is as busy as it may be", async () => {
    const sim = createSim();
    const [busy, other] = [new Node(sim, "a"), new Node(sim, "b")];
    busy.busy();
    await sim.clock.advance(2 * WINDOW_MS);
    const before = other.sent;
    void other.send("people");
    await sim.clock.advance(1000);
    expect(other.sent - before).toBe(1);
    await sim.clock.advance(WINDOW_MS);
    // What a person took is missing from the reserve, not from the limit.
    expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(91);
  });

  test("two nodes share what only people use as well", async () => {
    const sim = createSim();
    const nodes = ["a", "b"].map((name) => new Node(sim, name, { limits: { limit: 20, reserve: 0 } }));
    for (const node of nodes) node.busy("people", { atOnce: 3, exchangeMs: 1 });
    await sim.clock.advance(4 * WINDOW_MS);
    expect(Math.min(...nodes.map(({ sent }) => sent))).toBeGreaterThan(20);
    expect(mostInAWindow(sim.counted)).toBe(20);
  });

  test("egresses add up, and an account does not", async () => {
    const sim = createSim();
    new Node(sim, "a", { egress: "one" }).busy();
    new Node(sim, "b", { egress: "two" }).busy();
    await sim.clock.advance(3 * WINDOW_MS);
    expect(perMinute(sim.counted, WINDOW_MS, 3 * WINDOW_MS)).toBeGreaterThan(0.95 * 180);
    const ofAccount = (node: Node) =>
      node.budgets.of("https://nexus.example", { limit: 4, reserve: 0 }, "nexus");
    const shared = [ofAccount(new Node(sim, "c")), ofAccount(new Node(sim, "d"))];
    let granted = 0;
    for (const budget of shared)
      for (let n = 0; n < 4; n++)
        void budget.acquire({ priority: "people" }).then((lease) => {
          granted += 1;
          lease.done();
        });
    await sim.clock.advance(WINDOW_MS / 2);
    expect(granted).toBe(4);
  });

  test("what a dead node had counts until the server has forgotten it, and is used by others from then on", async () => {
    const sim = createSim();
    const nodes = ["a", "b", "c"].map((name) => new Node(sim, name));
    for (const node of nodes) node.busy();
    await sim.clock.advance(4 * WINDOW_MS);
    const [dead] = nodes;
    if (dead) dead.isDead = true;
    await sim.clock.advance(5 * WINDOW_MS);
    expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(90);
    expect(perMinute(sim.counted, 7 * WINDOW_MS, 9 * WINDOW_MS)).toBeGreaterThan(0.95 * 90);
  });

  test("a node that starts again on the same machine knows how long ago its earlier life wrote", async () => {
    const sim = createSim();
    const before = new Node(sim, "a", { boot: "same" });
    before.busy();
    await sim.clock.advance(2 * WINDOW_MS);
    before.isDead = true;
    await sim.clock.advance(60 * WINDOW_MS);
    const from = sim.clock.monotonic();
    new Node(sim, "a", { boot: "same" }).busy();
    await sim.clock.advance(WINDOW_MS / 2);
    expect(sim.counted.filter((at) => at >= from)).toHaveLength(90);
  });

  test("a node that leaves gives back at once what it has not used", async () => {
    const sim = createSim();
    const [leaving, other] = [new Node(sim, "a"), new Node(sim, "b")];
    await Promise.all([leaving.send("watches"), sim.clock.advance(1000)]);
    const left = leaving.budgets.leave();
    await sim.clock.advance(1000);
    await left;
    other.busy("people", { atOnce: 20 });
    await sim.clock.advance(10_000);
    expect([sim.counted.length, leaving.budget.tryAcquire("people")]).toEqual([100, undefined]);
  });

  test("stopped for 30 s between its slot and the wire, a node stays within the limit", async () => {
    const sim = createSim();
    const [stopped, other] = [new Node(sim, "a"), new Node(sim, "b")];
    for (let n = 0; n < 45; n++) void stopped.send("people", { stopMs: n === 44 ? 30_000 : 0 });
    await sim.clock.advance(20_000);
    other.busy("people", { atOnce: 10 });
    await sim.clock.advance(4 * WINDOW_MS);
    expect(stopped.sent).toBe(45);
    expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(100);
  });

  test("what it sends when it comes back counts for a window, even if it dies right after", async () => {
    const sim = createSim();
    const limits = { limit: 10, reserve: 0 };
    const [stopped, other] = [new Node(sim, "a", { limits }), new Node(sim, "b", { limits })];
    void stopped.send("people", { stopMs: 30_000, exchangeMs: 1 });
    other.busy("people", { atOnce: 10 });
    await sim.clock.advance(30_100);
    expect(stopped.sent).toBe(1);
    stopped.isDead = true;
    await sim.clock.advance(5 * WINDOW_MS);
    expect(mostInAWindow(sim.counted)).toBe(10);
  });

  test("a node that was stopped for minutes has lost the slots that it did not use", async () => {
    const sim = createSim();
    const limits = { limit: 10, reserve: 0 };
    const [stopped, other] = [new Node(sim, "a", { limits }), new Node(sim, "b", { limits })];
    await Promise.all([stopped.send("people"), sim.clock.advance(1000)]);
    stopped.stop(5 * WINDOW_MS);
    other.busy("people", { atOnce: 10 });
    await sim.clock.advance(5 * WINDOW_MS);
    for (let n = 0; n < 4; n++) void stopped.send("people");
    await sim.clock.advance(2 * WINDOW_MS);
    expect(other.sent).toBeGreaterThan(40);
    expect(mostInAWindow(sim.counted)).toBe(10);
  });

  test("without the database a node sends what it has, and nothing more until it is back", async () => {
    const sim = createSim();
    const node = new Node(sim, "a");
    node.busy();
    await sim.clock.advance(3 * WINDOW_MS);
    sim.isDown = true;
    await sim.clock.advance(10_000);
    const before = sim.counted.length;
    await sim.clock.advance(2 * WINDOW_MS);
    expect(sim.counted.length - before).toBeLessThan(3);
    sim.isDown = false;
    await sim.clock.advance(20_000);
    expect(sim.counted.length - before).toBeGreaterThan(80);
    expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(90);
  });

  test("the quiet time that a server asks of one node holds for all of its egress, and ends for all", async () => {
    const sim = createSim();
    const nodes = ["a", "b", "c"].map((name) => new Node(sim, name));
    for (const node of nodes) node.busy();
    await sim.clock.advance(WINDOW_MS);
    const [asked] = nodes;
    asked?.budget.cooldownUntil(sim.clock.monotonic() + asked.offsetMs + 45_000);
    const at = sim.clock.monotonic();
    await sim.clock.advance(3 * WINDOW_MS);
    const sent = (fromMs: number, toMs: number) =>
      sim.counted.filter((time) => time >= at + fromMs && time < at + toMs).length;
    expect(sent(4000, 45_000)).toBe(0);
    expect(sent(45_000, 55_000)).toBeGreaterThan(20);
  });

  test("whatever dies, stalls or gets lost, no window holds more than the limit", async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("stop" as const),
        node: fc.nat(2),
        ms: fc.integer({ min: 1, max: 30_000 }),
      }),
      fc.record({ kind: fc.constant("kill" as const), node: fc.nat(2) }),
      fc.record({ kind: fc.constant("down" as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
      fc.record({
        kind: fc.constant("quiet" as const),
        node: fc.nat(2),
        ms: fc.integer({ min: 1, max: 20_000 }),
      }),
      fc.record({ kind: fc.constant("pause" as const), ms: fc.integer({ min: 1, max: 30_000 }) }),
      fc.record({
        kind: fc.constant("busy" as const),
        node: fc.nat(2),
        ms: fc.integer({ min: 1, max: 90_000 }),
      }),
      fc.record({
        kind: fc.constant("burst" as const),
        node: fc.nat(2),
        stopMs: fc.integer({ min: 0, max: 60_000 }),
      }),
      fc.record({ kind: fc.constant("greedy" as const), node: fc.nat(2) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom(1, 50, 3000),
        fc.constantFrom(0, 0.05, 0.3),
        fc.constantFrom(200, 5000, 25_000),
        fc.array(step, { minLength: 5, maxLength: 30 }),
        async (seed, delayMs, faults, exchangeMs, steps) => {
          const sim = createSim(seed, delayMs);
          sim.faults = faults;
          const limits = { limit: 12, reserve: 2 };
          const create = (n: number) => new Node(sim, "abc".charAt(n), { limits });
          const nodes = [0, 1, 2].map(create);
          const start = (n: number) => nodes[n]?.busy("watches", { atOnce: 2, exchangeMs });
          start(0);
          nodes[1]?.busy("people", { atOnce: 3, exchangeMs });
          for (const each of steps) {
            const node = "node" in each ? nodes[each.node] : undefined;
            if (each.kind === "pause") await sim.clock.advance(each.ms);
            if (each.kind === "stop") node?.stop(each.ms);
            if (each.kind === "quiet" && node)
              node.budget.cooldownUntil(sim.clock.monotonic() + node.offsetMs + each.ms);
            if (each.kind === "burst")
              for (let n = 0; n < 8; n++) void node?.send("people", { exchangeMs, stopMs: each.stopMs });
            if (each.kind === "down") {
              sim.isDown = true;
              await sim.clock.advance(each.ms);
              sim.isDown = false;
            }
            if (each.kind === "busy") {
              const end = start(each.node);
              await sim.clock.advance(each.ms);
              end?.abort();
            }
            if (each.kind === "greedy") node?.busy("people", { atOnce: 3, exchangeMs });
            if (each.kind === "kill" && node) {
              node.isDead = true;
              nodes[each.node] = create(each.node);
            }
          }
          await sim.clock.advance(WINDOW_MS);
          expect(mostInAWindow(sim.counted)).toBeLessThanOrEqual(limits.limit);
        },
      ),
      { numRuns: 150 },
    );
  });
});

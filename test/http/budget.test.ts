import { describe, expect, test } from "vitest";
import { createBudget, type RequestBudget } from "../../src/http/budget.ts";
import { PRIORITIES, type Priority } from "../../src/http/shares.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

const WINDOW_MS = 60_000;

describe("the request budget", () => {
  test("frees a place one window after the exchange ended, not after it started", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    const lease = await budget.acquire({ priority: "watches" });
    await clock.advance(30_000);
    lease.done();
    const next = granted(budget.acquire({ priority: "watches" }));
    await clock.advance(WINDOW_MS - 1);
    expect([next.isGranted, budget.used(), budget.waiting]).toEqual([false, 1, 1]);
    await clock.advance(1);
    expect([next.isGranted, budget.used(), budget.waiting]).toEqual([true, 1, 0]);
  });

  test("reports for each kind of request how many it has, how many wait, and for how long", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 4, reserve: 1, clock });
    const done = async (priority: Priority) => (await budget.acquire({ priority })).done();
    for (const priority of ["people", "renewals", "watches"] as const) await done(priority);
    const giveUp = new AbortController();
    granted(budget.acquire({ priority: "agent_reads", signal: giveUp.signal }));
    granted(budget.acquire({ priority: "agent_writes" }));
    await clock.advance(WINDOW_MS / 2);
    const none = { used: 0, waiting: 0, waitedMs: 0 };
    expect(budget.shares()).toEqual({
      ...{ people: { ...none, used: 1 }, renewals: { ...none, used: 1 }, watches: { ...none, used: 1 } },
      ...{ agent_reads: { ...none, waiting: 1 }, agent_writes: { ...none, waiting: 1 } },
    });
    giveUp.abort(new Error("no longer"));
    await clock.advance(WINDOW_MS / 2);
    expect(budget.shares()).toEqual({
      ...{ people: none, renewals: none, watches: none },
      agent_reads: { ...none, waitedMs: WINDOW_MS / 2 },
      agent_writes: { ...none, used: 1, waitedMs: WINDOW_MS },
    });
  });

  test("keeps its reserve free of watches", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 3, reserve: 1, clock });
    const watches = [1, 2, 3].map(() => granted(budget.acquire({ priority: "watches" })));
    const people = [1, 2].map(() => granted(budget.acquire({ priority: "people" })));
    await clock.settle();
    expect(watches.map((caller) => caller.isGranted)).toEqual([true, true, false]);
    expect(people.map((caller) => caller.isGranted)).toEqual([true, false]);
  });

  test("serves people first, and each kind in order of arrival", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    const first = await budget.acquire({ priority: "watches" });
    const order: string[] = [];
    const queue = (name: string, priority: Priority) =>
      budget.acquire({ priority }).then((lease) => {
        order.push(name);
        lease.done();
      });
    const all = [
      queue("n1", "watches"),
      queue("n2", "watches"),
      queue("r1", "people"),
      queue("r2", "people"),
    ];
    first.done();
    await clock.advance(4 * WINDOW_MS);
    await Promise.all(all);
    expect(order).toEqual(["r1", "r2", "n1", "n2"]);
  });

  test("a waiter that gives up leaves the queue, and no timer", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    (await budget.acquire({ priority: "watches" })).done();
    const controller = new AbortController();
    const waiter = budget.acquire({ priority: "watches", signal: controller.signal });
    expect([budget.waiting, clock.pending()]).toEqual([1, 1]);
    const reason = new Error("given up");
    controller.abort(reason);
    await expect(waiter).rejects.toBe(reason);
    expect([budget.waiting, clock.pending(), budget.used()]).toEqual([0, 0, 1]);
    await expect(budget.acquire({ priority: "watches", signal: controller.signal })).rejects.toBe(reason);
  });

  test("nothing is sent during a cooldown, and a shorter one does not end it", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 10, reserve: 1, clock });
    budget.cooldownUntil(clock.monotonic() + 5000);
    budget.cooldownUntil(clock.monotonic() + 1000);
    const callers = (["watches", "people"] as const).map((priority) => granted(budget.acquire({ priority })));
    await clock.advance(4999);
    expect(callers.map((caller) => caller.isGranted)).toEqual([false, false]);
    await clock.advance(1);
    expect(callers.map((caller) => caller.isGranted)).toEqual([true, true]);
  });

  test("releasing a lease twice counts once", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 5, reserve: 0, clock });
    const lease = await budget.acquire({ priority: "watches" });
    lease.done();
    lease.done();
    expect(budget.used()).toBe(1);
    await clock.advance(WINDOW_MS);
    expect(budget.used()).toBe(0);
  });

  test("refuses a reserve that would leave nothing for the others", () => {
    expect(() => createBudget({ limit: 5, reserve: 5, clock: createFakeClock() })).toThrow(RangeError);
  });
});

describe("under more demand from agents than there is budget", () => {
  const LIMITS = { limit: 100, reserve: 20 };

  /** Calls `ask` this many times, each served at once; returns how long each waited, in the order served. */
  const storm = (budget: RequestBudget, clock: FakeClock, priority: Priority, count: number) => {
    const waits: number[] = [];
    const since = clock.monotonic();
    for (let n = 0; n < count; n++)
      void budget.acquire({ priority }).then((lease) => {
        waits.push(clock.monotonic() - since);
        lease.done();
      });
    return waits;
  };

  /** Asks at this interval, one after the other like a watch; returns when each was served. */
  const repeat = (budget: RequestBudget, clock: FakeClock, priority: Priority, everyMs: number) => {
    const served: { at: number; waitedMs: number }[] = [];
    const next = async () => {
      for (;;) {
        const since = clock.monotonic();
        (await budget.acquire({ priority })).done();
        served.push({ at: clock.monotonic(), waitedMs: clock.monotonic() - since });
        await clock.sleep(everyMs - (clock.monotonic() - since));
      }
    };
    void next();
    return served;
  };
  const longest = (served: { waitedMs: number }[]) => Math.max(...served.map(({ waitedMs }) => waitedMs));

  test("60 reads at once leave the watches every turn, and serve people as well", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ ...LIMITS, clock });
    const reads = storm(budget, clock, "agent_reads", 60);
    const writes = storm(budget, clock, "agent_writes", 60);
    await clock.settle();
    expect([reads.length, writes.length]).toEqual([25, 25]);
    const watches = repeat(budget, clock, "watches", 3000);
    const people = repeat(budget, clock, "people", 6000);
    await clock.advance(5 * WINDOW_MS);
    expect(watches.length).toBeGreaterThanOrEqual(100);
    expect([longest(watches), longest(people)]).toEqual([0, 0]);
    expect(Math.max(...reads, ...writes)).toBeLessThanOrEqual(2 * WINDOW_MS);
  });

  test("watches minutes apart get their places back", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ ...LIMITS, clock });
    const burst = async () => {
      const waits = storm(budget, clock, "watches", 50);
      await clock.settle();
      return waits.length;
    };
    expect(await burst()).toBe(50);
    storm(budget, clock, "agent_reads", 1000);
    storm(budget, clock, "agent_writes", 1000);
    for (let minute = 0; minute < 12; minute += 4) {
      await clock.advance(4 * WINDOW_MS);
      // At least what the agents' minimum shares leave of it: twice a quarter of 80 of 80.
      expect(await burst()).toBeGreaterThanOrEqual(40);
    }
  });

  test("1,000 messages leave three quarters to polls that use all they get, and do not starve", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 100, reserve: 10, clock });
    const polls = repeat(budget, clock, "watches", WINDOW_MS / 90);
    await clock.advance(3 * WINDOW_MS);
    const before = polls.length;
    const messages = storm(budget, clock, "agent_writes", 1000);
    const person = repeat(budget, clock, "people", 10_000);
    const rates: number[] = [];
    for (let minute = 0; minute < 5; minute++) {
      const since = polls.length;
      await clock.advance(WINDOW_MS);
      rates.push(polls.length - since);
    }
    expect(before).toBeGreaterThan(3 * 85);
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(60);
    expect(messages.length).toBeGreaterThanOrEqual(5 * 10);
    expect(messages[0]).toBe(0);
    const gaps = polls.slice(before).map(({ at }, index) => at - (polls[before + index - 1]?.at ?? at));
    expect(Math.max(...gaps)).toBeLessThan(6000);
    expect(longest(person)).toBe(0);
  });

  test("agents and watches split an otherwise unused budget in half", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ ...LIMITS, clock });
    storm(budget, clock, "watches", 40);
    const reads = storm(budget, clock, "agent_reads", 100);
    await clock.settle();
    expect(reads.length).toBe(20);
    await clock.advance(20 * WINDOW_MS);
    expect(reads.length).toBe(100);
  });
});

describe("for any demand on the budget", () => {
  const call = fc.record({
    atMs: fc.integer({ min: 0, max: 150_000 }),
    durationMs: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 90_000 })),
    // When within its exchange the server sees the request.
    seenAt: fc.double({ min: 0, max: 1, noNaN: true }),
    priority: fc.constantFrom<Priority>(...PRIORITIES, "watches", "watches"),
    // Some give up after a while.
    patienceMs: fc.option(fc.integer({ min: 0, max: 30_000 }), { freq: 3 }),
  });

  const scenario = fc.record({
    limit: fc.integer({ min: 2, max: 8 }),
    calls: fc.array(call, { minLength: 1, maxLength: 40 }),
  });

  test("the server never sees more than the limit in any window, and every patient caller is served", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.integer({ min: 1, max: 3 }), async ({ limit, calls }, batch) => {
        const { seen, waits } = await simulate(limit, calls, batch);
        // Any window over the limit contains one that starts at an arrival.
        for (const [index, start] of seen.entries()) {
          expect((seen[index + limit] ?? Number.POSITIVE_INFINITY) - start).toBeGreaterThanOrEqual(WINDOW_MS);
        }
        expect(calls.filter((each) => each.patienceMs === null && !waits.has(each))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("watches cannot make a person wait while the reserve is free", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ limit, calls }) => {
        let lastPerson = Number.NEGATIVE_INFINITY;
        // People far enough apart that one place is always enough for them.
        const sparse = [...calls]
          .sort((a, b) => a.atMs - b.atMs)
          .map((entry) => {
            if (entry.priority !== "people" || entry.atMs - lastPerson < 2 * WINDOW_MS) {
              return { ...entry, priority: "watches" as const };
            }
            lastPerson = entry.atMs;
            return { ...entry, durationMs: Math.min(entry.durationMs, WINDOW_MS), patienceMs: 0 };
          });
        const { waits } = await simulate(limit, sparse);
        const people = sparse.filter((each) => each.priority === "people");
        expect(people.filter((each) => waits.get(each) !== 0)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

interface Call {
  atMs: number;
  durationMs: number;
  seenAt: number;
  priority: Priority;
  patienceMs: number | null;
}

/**
 * Plays the calls against a budget with a reserve of one; returns what the server saw, and how long each served call
 * waited.
 */
async function simulate(limit: number, calls: Call[], batch = 1) {
  const clock = createFakeClock();
  const budget = createBudget({ limit, reserve: 1, batch, clock });
  const seen: number[] = [];
  const waits = new Map<Call, number>();
  const play = async (call: Call) => {
    await clock.sleep(call.atMs);
    const controller = new AbortController();
    if (call.patienceMs !== null) clock.sleep(call.patienceMs).then(() => controller.abort());
    const start = clock.monotonic();
    const lease = await budget.acquire({ priority: call.priority, signal: controller.signal });
    waits.set(call, clock.monotonic() - start);
    seen.push(clock.monotonic() + call.durationMs * call.seenAt);
    await clock.sleep(call.durationMs);
    lease.done();
  };
  for (const call of calls) play(call).catch(() => {});
  // Long enough for every caller, each after all the others.
  await clock.advance(100 * WINDOW_MS);
  return { seen: seen.sort((a, b) => a - b), waits };
}

/** Watches a call of acquire without waiting for it. */
function granted(lease: Promise<unknown>) {
  const caller = { isGranted: false };
  lease.then(
    () => {
      caller.isGranted = true;
    },
    () => {},
  );
  return caller;
}

import { describe, expect, test } from "vitest";
import { createBudget, type Priority } from "../../src/http/budget.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

const WINDOW_MS = 60_000;

describe("the request budget", () => {
  test("frees a place one window after the exchange ended, not after it began", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    const lease = await budget.acquire({ priority: "normal" });
    await clock.advance(30_000);
    lease.done();
    const next = granted(budget.acquire({ priority: "normal" }));
    await clock.advance(WINDOW_MS - 1);
    expect([next.isGranted, budget.used(), budget.waiting]).toEqual([false, 1, 1]);
    await clock.advance(1);
    expect([next.isGranted, budget.used(), budget.waiting]).toEqual([true, 1, 0]);
  });

  test("keeps its reserve free of normal callers", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 3, reserve: 1, clock });
    const normal = [1, 2, 3].map(() => granted(budget.acquire({ priority: "normal" })));
    const reserved = [1, 2].map(() => granted(budget.acquire({ priority: "reserved" })));
    await clock.settle();
    expect(normal.map((caller) => caller.isGranted)).toEqual([true, true, false]);
    expect(reserved.map((caller) => caller.isGranted)).toEqual([true, false]);
  });

  test("serves reserved callers first, and each kind in order of arrival", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    const first = await budget.acquire({ priority: "normal" });
    const order: string[] = [];
    const queue = (name: string, priority: Priority) =>
      budget.acquire({ priority }).then((lease) => {
        order.push(name);
        lease.done();
      });
    const all = [
      queue("n1", "normal"),
      queue("n2", "normal"),
      queue("r1", "reserved"),
      queue("r2", "reserved"),
    ];
    first.done();
    await clock.advance(4 * WINDOW_MS);
    await Promise.all(all);
    expect(order).toEqual(["r1", "r2", "n1", "n2"]);
  });

  test("a waiter that gives up leaves the queue, and nothing on the clock", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 1, reserve: 0, clock });
    (await budget.acquire({ priority: "normal" })).done();
    const controller = new AbortController();
    const waiter = budget.acquire({ priority: "normal", signal: controller.signal });
    expect([budget.waiting, clock.pending()]).toEqual([1, 1]);
    const reason = new Error("given up");
    controller.abort(reason);
    await expect(waiter).rejects.toBe(reason);
    expect([budget.waiting, clock.pending(), budget.used()]).toEqual([0, 0, 1]);
    await expect(budget.acquire({ priority: "normal", signal: controller.signal })).rejects.toBe(reason);
  });

  test("nobody goes out during a cooldown, and a shorter one does not end it", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 10, reserve: 1, clock });
    budget.cooldownUntil(clock.monotonic() + 5000);
    budget.cooldownUntil(clock.monotonic() + 1000);
    const callers = (["normal", "reserved"] as const).map((priority) =>
      granted(budget.acquire({ priority })),
    );
    await clock.advance(4999);
    expect(callers.map((caller) => caller.isGranted)).toEqual([false, false]);
    await clock.advance(1);
    expect(callers.map((caller) => caller.isGranted)).toEqual([true, true]);
  });

  test("a lease that is given back twice counts once", async () => {
    const clock = createFakeClock();
    const budget = createBudget({ limit: 5, reserve: 0, clock });
    const lease = await budget.acquire({ priority: "normal" });
    lease.done();
    lease.done();
    expect(budget.used()).toBe(1);
    await clock.advance(WINDOW_MS);
    expect(budget.used()).toBe(0);
  });

  test("refuses a reserve that would leave nothing to normal callers", () => {
    expect(() => createBudget({ limit: 5, reserve: 5, clock: createFakeClock() })).toThrow(RangeError);
  });
});

describe("whatever is asked of the budget", () => {
  const call = fc.record({
    atMs: fc.integer({ min: 0, max: 150_000 }),
    durationMs: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 90_000 })),
    // When within its exchange the server sees the request.
    seenAt: fc.double({ min: 0, max: 1, noNaN: true }),
    priority: fc.constantFrom<Priority>("normal", "normal", "normal", "reserved"),
    // Some give up after a while.
    patienceMs: fc.option(fc.integer({ min: 0, max: 30_000 }), { freq: 3 }),
  });

  const scenario = fc.record({
    limit: fc.integer({ min: 2, max: 8 }),
    calls: fc.array(call, { minLength: 1, maxLength: 40 }),
  });

  test("the server never sees more than the limit in any window, and every patient caller goes out", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.integer({ min: 1, max: 3 }), async ({ limit, calls }, batch) => {
        const { seen, waits } = await simulate(limit, calls, batch);
        // Any window that holds more than the limit holds one that begins at an arrival.
        for (const [index, start] of seen.entries()) {
          expect((seen[index + limit] ?? Number.POSITIVE_INFINITY) - start).toBeGreaterThanOrEqual(WINDOW_MS);
        }
        expect(calls.filter((each) => each.patienceMs === null && !waits.has(each))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("normal callers cannot make a reserved one wait while its reserve is free", async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ limit, calls }) => {
        let lastReserved = Number.NEGATIVE_INFINITY;
        // Reserved callers far enough apart that one place is always enough for them.
        const sparse = [...calls]
          .sort((a, b) => a.atMs - b.atMs)
          .map((entry) => {
            if (entry.priority === "normal" || entry.atMs - lastReserved < 2 * WINDOW_MS) {
              return { ...entry, priority: "normal" as const };
            }
            lastReserved = entry.atMs;
            return { ...entry, durationMs: Math.min(entry.durationMs, WINDOW_MS), patienceMs: 0 };
          });
        const { waits } = await simulate(limit, sparse);
        const reserved = sparse.filter((each) => each.priority === "reserved");
        expect(reserved.filter((each) => waits.get(each) !== 0)).toEqual([]);
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

/** Plays the calls against a budget with a reserve of one; gives what the server saw, and how long each served call waited. */
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
  // Long enough for every caller, each behind all the others.
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

// Usage of a budget before a restart counts after it.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createBudgets } from "../../src/http/budgets.ts";
import { openLedger } from "../../src/http/ledger.ts";
import type { Priority } from "../../src/http/shares.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";
import { temporaryDirectory } from "../support/store.ts";

const WINDOW_MS = 60_000;
const ORIGIN = "https://messaging.example:8443";

const open = (clock: FakeClock, directory: string, limit = 5, batch = 1) => {
  const failures: unknown[] = [];
  const budgets = createBudgets({
    clock,
    directory,
    batch: () => batch,
    onFailure: (_, error) => failures.push(error),
  });
  return { budget: budgets.of(ORIGIN, { limit, reserve: 1 }, "messaging"), failures, close: budgets.close };
};

const reserved: { priority: Priority } = { priority: "people" };

describe("a restart", () => {
  test("keeps the usage of the budget, even without a clean shutdown", async () => {
    const clock = createFakeClock();
    const directory = temporaryDirectory();
    const before = open(clock, directory);
    (await before.budget.acquire(reserved)).done();
    await clock.advance(10_000);
    (await before.budget.acquire(reserved)).done();
    expect(open(clock, directory).budget.used()).toBe(2);
    await clock.advance(50_000);
    expect(open(clock, directory).budget.used()).toBe(1);
    await clock.advance(10_000);
    expect(open(clock, directory).budget.used()).toBe(0);
  });

  test("counts a running exchange as ended at that moment", async () => {
    const clock = createFakeClock();
    const directory = temporaryDirectory();
    await open(clock, directory).budget.acquire(reserved);
    await clock.advance(59_000);
    const { budget } = open(clock, directory);
    await clock.advance(WINDOW_MS - 1);
    expect(budget.used()).toBe(1);
    await clock.advance(1);
    expect(budget.used()).toBe(0);
  });

  test("keeps the time for which the server asked to be left alone", async () => {
    const clock = createFakeClock();
    const directory = temporaryDirectory();
    open(clock, directory).budget.cooldownUntil(30_000);
    const { budget } = open(clock, directory);
    await clock.advance(29_999);
    expect(budget.tryAcquire("people")).toBeUndefined();
    await clock.advance(1);
    expect(budget.tryAcquire("people")).toBeDefined();
  });

  test("of the machine counts the whole budget as used until then", () => {
    const path = join(temporaryDirectory(), "budget");
    const at = (bootId: string, uptimeMs: number) =>
      openLedger({
        ...{ path, limit: 3, batch: 1, windowMs: WINDOW_MS, bootId },
        clock: { monotonic: () => uptimeMs },
        onFailure: () => expect.unreachable(),
      });
    const first = at("one", 5_000_000);
    expect(first.ends).toEqual([]);
    first.write(0, 5_000_000);
    expect(at("two", 20_000).ends).toEqual([0, 0, 0]);
    expect(at("two", 59_999).ends).toEqual([0, 0, 0]);
    expect(at("two", 60_000).ends).toEqual([]);
    // If the system has no name for its boots, a time in the future is of an earlier one.
    at("two", 90_000).write(0, 90_000);
    expect(at("two", 30_000).ends).toEqual([0, 0, 0]);
  });

  test.each([
    ["empty", ""],
    ["of another kind", "hello".repeat(100)],
    ["cut", `nexusd request budget 1\nboot\n`],
  ])("with a file that is %s waits for one window, and recovers", async (_, content) => {
    const clock = createFakeClock();
    await clock.advance(1_000_000);
    const directory = temporaryDirectory();
    writeFileSync(join(directory, encodeURIComponent(ORIGIN)), content);
    expect(open(clock, directory).budget.used()).toBe(5);
    await clock.advance(WINDOW_MS);
    const { budget, failures } = open(clock, directory);
    expect(budget.used()).toBe(0);
    expect(failures).toEqual([]);
  });

  test("with an unusable directory reports it once, and waits for one window", async () => {
    const clock = createFakeClock();
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    const { budget, failures } = open(clock, file);
    expect(failures).toHaveLength(1);
    expect(budget.used()).toBe(5);
    await clock.advance(WINDOW_MS);
    (await budget.acquire(reserved)).done();
    expect(budget.used()).toBe(1);
    expect(failures).toHaveLength(1);
  });

  test("after a SIGKILL of the process knows about every request", () => {
    const directory = temporaryDirectory();
    const script = `
      import { createBudgets } from "${new URL("../../src/http/budgets.ts", import.meta.url).href}";
      import { systemClock as clock } from "${new URL("../../src/core/clock.ts", import.meta.url).href}";
      const budgets = createBudgets({ clock, directory: ${JSON.stringify(directory)} });
      const budget = budgets.of("${ORIGIN}", { limit: 100, reserve: 10 }, "messaging");
      for (let n = 0; n < 42; n++) budget.tryAcquire("watches").done();
      for (let n = 0; n < 3; n++) budget.tryAcquire("watches");
      process.kill(process.pid, "SIGKILL");`;
    const { signal } = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script]);
    expect(signal).toBe("SIGKILL");
    const budgets = createBudgets({ clock: systemClock, directory });
    expect(budgets.of(ORIGIN, { limit: 100, reserve: 10 }, "messaging").used()).toBe(45);
    budgets.close();
  });
});

test("the file is private to its owner, and does not grow with the requests", async () => {
  const clock = createFakeClock();
  const directory = join(temporaryDirectory(), "budgets");
  const { budget } = open(clock, directory);
  for (let n = 0; n < 30; n++) {
    (await budget.acquire(reserved)).done();
    await clock.advance(WINDOW_MS / 4);
  }
  const [name = ""] = readdirSync(directory);
  const { mode, size } = statSync(join(directory, name));
  expect([mode & 0o777, statSync(directory).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(size).toBeLessThan(200);
});

test("a linked file is not followed: the whole budget counts as used, and the link's target is unchanged", () => {
  const directory = join(temporaryDirectory(), "budgets");
  const clock = createFakeClock();
  open(clock, directory).close();
  const [name = ""] = readdirSync(directory);
  const target = join(directory, "..", "kept");
  writeFileSync(target, "somebody's");
  rmSync(join(directory, name));
  symlinkSync(target, join(directory, name));
  expect(open(clock, directory).budget.used()).toBeGreaterThan(0);
  expect(readFileSync(target, "utf8")).toBe("somebody's");
});

test("new limits after a reload keep the usage", async () => {
  const clock = createFakeClock();
  const budgets = createBudgets({ clock });
  const budget = budgets.of(ORIGIN, { limit: 10, reserve: 1 }, "messaging");
  for (let n = 0; n < 6; n++) (await budget.acquire(reserved)).done();
  expect(budgets.of(ORIGIN, { limit: 4, reserve: 1 }, "messaging")).toBe(budget);
  expect([budget.limit, budget.used(), budget.tryAcquire("people")]).toEqual([4, 6, undefined]);
  expect(() => budgets.of(ORIGIN, { limit: 1, reserve: 1 }, "messaging")).toThrow(RangeError);
});

test("the server never sees more than the limit in any window, whenever nexusd is killed", async () => {
  const call = fc.record({
    atMs: fc.integer({ min: 0, max: 200_000 }),
    durationMs: fc.integer({ min: 0, max: 20_000 }),
    // When within its exchange the server sees the request.
    seenAt: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { minLength: 20, maxLength: 60 }),
      fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 5 }),
      fc.integer({ min: 2, max: 8 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 3 })),
      async (calls, kills, limit, batches) => {
        const clock = createFakeClock();
        const directory = temporaryDirectory();
        const seen: number[] = [];
        const start = () => open(clock, directory, limit, batches.next().value).budget;
        let life = { budget: start(), end: new AbortController() };
        const play = async ({ atMs, durationMs, seenAt }: (typeof calls)[number]) => {
          await clock.sleep(atMs);
          const { budget, end } = life;
          const lease = await budget.acquire({ ...reserved, signal: end.signal });
          await clock.sleep(durationMs * seenAt, end.signal);
          seen.push(clock.monotonic());
          await clock.sleep(durationMs * (1 - seenAt), end.signal);
          lease.done();
        };
        for (const each of calls) play(each).catch(() => {});
        for (const at of kills)
          clock.sleep(at).then(() => {
            life.end.abort();
            life = { budget: start(), end: new AbortController() };
          });
        await clock.advance(40 * WINDOW_MS);
        for (const [index, start] of seen.entries())
          expect((seen[index + limit] ?? Number.POSITIVE_INFINITY) - start).toBeGreaterThanOrEqual(WINDOW_MS);
      },
    ),
    { numRuns: 20 },
  );
});

// The watch over the clock: what it reports, which jobs it wakes, and what it keeps for the next start.

import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { recallSteadyClock, watchClock } from "../../src/daemon/clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { openTestStore } from "../support/store.ts";

const DAY = 86_400_000;

async function watched() {
  const clock = createFakeClock();
  const store = await openTestStore({ clock });
  const steady = await recallSteadyClock(store, clock, "boot-1");
  const stop = new AbortController();
  const lines: { level: number; msg: string }[] = [];
  let jumps = 0;
  const watching = watchClock({
    ...{ steady, store, clock },
    log: pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) }),
    onJump: () => void jumps++,
    signal: stop.signal,
  });
  const end = async () => {
    stop.abort();
    await watching;
  };
  return { clock, store, steady, lines, jumps: () => jumps, end };
}

it("reports a step or a sleep once, within a second, and makes every job look again", async () => {
  const { clock, lines, jumps, end } = await watched();
  await clock.advance(10_000);
  clock.jump(60 * DAY);
  await clock.advance(1000);
  expect(jumps()).toBe(1);
  clock.suspend(DAY);
  await clock.advance(5000);
  expect(jumps()).toBe(2);
  expect(lines).toMatchObject([
    { level: 40, byMs: 60 * DAY, msg: expect.stringContaining("stepped") },
    { level: 30, forMs: DAY, msg: "the machine was asleep" },
  ]);
  await end();
});

it("keeps the time for the next start, even if nexusd is killed", async () => {
  const { clock, store, end } = await watched();
  const madeAt = clock.now();
  await clock.advance(20 * 60_000);
  clock.jump(60 * DAY);
  // No longer used: as after a SIGKILL.
  const next = await recallSteadyClock(store, clock, "boot-1");
  expect(next.isSteady()).toBe(false);
  expect(next.ageOf(madeAt)).toBe(20 * 60_000);
  await end();
});

it("the system's clocks agree that no step happened", async () => {
  const store = await openTestStore({ clock: systemClock });
  const steady = await recallSteadyClock(store, systemClock);
  expect(steady.look()).toBeUndefined();
  expect(steady.isSteady()).toBe(true);
  expect(systemClock.uptime()).toBeGreaterThan(0);
});

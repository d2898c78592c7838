// How old things are while the wall clock is stepped, the machine sleeps, and nexusd restarts.

import { describe, expect, it } from "vitest";
import { createSteadyClock } from "../../src/core/steady-clock.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../scheduler/harness.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

const YEAR = 365 * DAY;

async function afterDays(days: number) {
  const clock = createFakeClock(Date.UTC(2026, 0, 1));
  const steady = createSteadyClock(clock);
  await clock.advance(days * DAY);
  steady.look();
  return { clock, steady };
}

describe("an age", () => {
  it("follows the wall clock while that is steady", async () => {
    const { clock, steady } = await afterDays(40);
    expect(steady.ageOf(clock.now() - 3 * DAY)).toBe(3 * DAY);
    expect(steady.before(30 * DAY)).toBe(clock.now() - 30 * DAY);
    expect(steady.isSteady()).toBe(true);
  });

  it("ignores a step 60 days ahead, and the one back", async () => {
    const { clock, steady } = await afterDays(40);
    const madeAt = clock.now();
    clock.jump(60 * DAY);
    expect(steady.ageOf(madeAt)).toBe(0);
    await clock.advance(MINUTE);
    expect(steady.ageOf(madeAt)).toBe(MINUTE);
    clock.jump(-60 * DAY);
    expect(steady.ageOf(madeAt)).toBe(MINUTE);
    await clock.advance(HOUR);
    expect(steady.ageOf(madeAt)).toBe(HOUR + MINUTE);
    // The jump is over: nothing is kept for longer than usual.
    expect(steady.before(30 * DAY)).toBe(clock.now() - 30 * DAY);
  });

  it("continues when a clock that started in 1970 is corrected", async () => {
    const clock = createFakeClock(0);
    const steady = createSteadyClock(clock);
    await clock.advance(3 * MINUTE);
    const madeAt = clock.now() - MINUTE;
    clock.jump(56 * YEAR);
    await clock.advance(10 * MINUTE);
    expect(steady.ageOf(madeAt)).toBe(11 * MINUTE);
    await clock.advance(30 * DAY - 12 * MINUTE);
    expect(steady.before(30 * DAY)).toBeLessThanOrEqual(madeAt);
    await clock.advance(2 * MINUTE);
    expect(steady.before(30 * DAY)).toBeGreaterThan(madeAt);
  });

  it("grows while the machine sleeps, which is not a step", async () => {
    const { clock, steady } = await afterDays(1);
    const madeAt = clock.now();
    clock.suspend(8 * HOUR);
    expect(steady.look()).toEqual({ kind: "slept", ms: 8 * HOUR });
    expect(steady.ageOf(madeAt)).toBe(8 * HOUR);
    expect(steady.isSteady()).toBe(true);
    expect(steady.look()).toBeUndefined();
  });
});

describe("a stepped clock", () => {
  it("is steady again after ten minutes without another step", async () => {
    const { clock, steady } = await afterDays(1);
    clock.jump(-HOUR);
    expect(steady.look()).toEqual({ kind: "stepped", ms: -HOUR });
    expect(steady.isSteady()).toBe(false);
    await clock.advance(9 * MINUTE);
    clock.jump(HOUR);
    steady.look();
    await clock.advance(9 * MINUTE);
    expect(steady.isSteady()).toBe(false);
    await clock.advance(MINUTE);
    expect(steady.isSteady()).toBe(true);
  });

  it("is distinguished from one that drifts", async () => {
    const { clock, steady } = await afterDays(1);
    for (let n = 0; n < 100; n++) {
      clock.jump(2 * SECOND);
      expect(steady.look()).toBeUndefined();
    }
    expect(steady.isSteady()).toBe(true);
  });
});

describe("across a restart of nexusd", () => {
  const start = (clock: FakeClock, stored?: unknown, bootId = "boot-1") =>
    createSteadyClock(clock, { stored: JSON.parse(JSON.stringify(stored ?? null)), bootId });

  it("a step during the downtime is noticed, by the machine's uptime", async () => {
    const clock = createFakeClock(Date.UTC(2026, 0, 1));
    const first = start(clock);
    const madeAt = clock.now();
    await clock.advance(HOUR);
    const stored = first.state();
    await clock.advance(2 * HOUR);
    clock.jump(60 * DAY);
    const second = start(clock, stored);
    expect(second.isSteady()).toBe(false);
    expect(second.ageOf(madeAt)).toBe(3 * HOUR);
  });

  it("a restart alone changes nothing", async () => {
    const clock = createFakeClock(Date.UTC(2026, 0, 1));
    const stored = start(clock).state();
    await clock.advance(40 * DAY);
    const second = start(clock, stored);
    expect(second.isSteady()).toBe(true);
    expect(second.before(30 * DAY)).toBe(clock.now() - 30 * DAY);
  });

  it("a clock behind the last known time counts as stepped", () => {
    const stored = start(createFakeClock(Date.UTC(2026, 0, 9))).state();
    const second = start(createFakeClock(0), stored, "boot-2");
    expect(second.isSteady()).toBe(false);
    expect(second.ageOf(Date.UTC(2026, 0, 9) - HOUR)).toBe(HOUR);
  });

  it("a downtime of days is believed once the clock has been steady for a while", async () => {
    const off = Date.UTC(2026, 0, 9);
    const stored = start(createFakeClock(off)).state();
    const clock = createFakeClock(off + 5 * DAY);
    const second = start(clock, stored, "boot-2");
    expect(second.isSteady()).toBe(true);
    expect(second.ageOf(off - HOUR)).toBe(HOUR);
    await clock.advance(10 * MINUTE);
    expect(second.ageOf(off - HOUR)).toBe(5 * DAY + HOUR + 10 * MINUTE);
  });

  it("a downtime is believed even if nexusd, or the machine, restarted in the ten minutes after it", async () => {
    const off = Date.UTC(2026, 0, 9);
    const stored = start(createFakeClock(off)).state();
    const clock = createFakeClock(off + 5 * DAY);
    const second = start(clock, stored, "boot-2");
    await clock.advance(3 * MINUTE);
    const third = start(clock, second.state(), "boot-2");
    await clock.advance(3 * MINUTE);
    const rebooted = createFakeClock(clock.now() + DAY);
    const fourth = start(rebooted, third.state(), "boot-3");
    expect(fourth.ageOf(off - HOUR)).toBeLessThan(2 * HOUR);
    await rebooted.advance(10 * MINUTE);
    expect(fourth.ageOf(off - HOUR)).toBe(6 * DAY + HOUR + 16 * MINUTE);
    expect(fourth.before(30 * DAY)).toBe(rebooted.now() - 30 * DAY);
  });

  it("a downtime of more than a month counts as zero, because the clock may be wrong", async () => {
    const off = Date.UTC(2026, 0, 9);
    const stored = start(createFakeClock(off)).state();
    const clock = createFakeClock(off + 40 * DAY);
    const second = start(clock, stored, "boot-2");
    await clock.advance(DAY);
    expect(second.ageOf(off)).toBe(DAY);
  });

  it("stored values may be anything", () => {
    fc.assert(
      fc.property(fc.anything(), (stored) => {
        const clock = createFakeClock(Date.UTC(2026, 0, 1));
        const steady = createSteadyClock(clock, { stored, bootId: "boot-1" });
        expect(steady.ageOf(clock.now() - DAY)).toBe(DAY);
      }),
    );
  });
});

it("nothing ever counts as older than it is, whatever the clock does", async () => {
  const move = fc.oneof(
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 20 * DAY }) }),
    fc.record({ kind: fc.constant("suspend" as const), ms: fc.integer({ min: 0, max: 20 * DAY }) }),
    fc.record({ kind: fc.constant("jump" as const), ms: fc.integer({ min: -70 * DAY, max: 70 * DAY }) }),
    fc.record({ kind: fc.constant("restart" as const), ms: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 25 }), async (moves) => {
      const clock = createFakeClock(Date.UTC(2026, 0, 1));
      let steady = createSteadyClock(clock, { bootId: "boot-1" });
      const stamps: { wall: number; uptime: number }[] = [];
      for (const { kind, ms } of moves) {
        stamps.push({ wall: clock.now(), uptime: clock.uptime() });
        if (kind === "wait") await clock.stall(ms);
        else if (kind === "suspend") clock.suspend(ms);
        else if (kind === "jump") clock.jump(ms);
        else steady = createSteadyClock(clock, { stored: steady.state(), bootId: "boot-1" });
        steady.look();
        for (const { wall, uptime } of stamps) {
          // A step too small to notice counts as drift.
          const age = clock.uptime() - uptime + 25 * 5 * SECOND;
          expect(steady.ageOf(wall)).toBeLessThanOrEqual(age);
          for (const keep of [HOUR, 30 * DAY])
            if (wall < steady.before(keep)) expect(age).toBeGreaterThan(keep);
        }
      }
    }),
  );
});

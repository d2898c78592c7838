import { expect, test } from "vitest";
import { isoTime } from "../../../src/core/clock.ts";
import { createRenewals } from "../../../src/services/messaging/membership/renewals.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import fc from "../../support/fc.ts";

const TTL_MS = 80_000;

/** Sessions by their slots, each with its remaining life in ms. */
function renewalsOf(remainingMs: number[], ttlMs = TTL_MS) {
  const clock = createFakeClock();
  const sessions = remainingMs.map((ms) => ({ expiresAt: isoTime(clock.now() + ms), ttlMs }));
  const renewals = createRenewals(clock, (slot) => sessions[slot]);
  for (const slot of sessions.keys()) renewals.put(slot);
  const take = (turns: number) => Array.from({ length: turns }, () => renewals.take());
  return { clock, renewals, take };
}

test("sessions in their last quarter are given in order of their ends, and no others", () => {
  const quarters = fc.array(fc.integer({ min: 0, max: TTL_MS }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(quarters, (remaining) => {
      const { take } = renewalsOf(remaining);
      const given = take(2 * remaining.length + 1).filter((slot) => slot >= 0);
      const due = remaining.flatMap((ms, slot) => (ms <= TTL_MS / 4 ? [slot] : []));
      expect(new Set(given)).toEqual(new Set(due));
      expect(given.map((slot) => remaining[slot])).toEqual(
        due.map((slot) => remaining[slot]).toSorted((a = 0, b = 0) => a - b),
      );
    }),
  );
});

test("if there is time every second turn is left to the polls; if there is none, no turn", () => {
  expect(renewalsOf([19_000, 18_000, 17_000]).take(6)).toEqual([2, -1, 1, -1, 0, -1]);
  expect(renewalsOf([3000, 2000, 19_000]).take(4)).toEqual([1, 0, -1, 2]);
});

test("a session that was given is given again if it was not renewed, a refused one less and less often", async () => {
  const { clock, renewals } = renewalsOf([9_000_000], 40_000_000);
  const given = async () => {
    for (let seconds = 0; ; seconds++) {
      if (renewals.take() >= 0) return seconds;
      await clock.advance(1000);
    }
  };
  expect([await given(), await given()]).toEqual([0, 15]);
  const waits: number[] = [];
  for (let n = 0; n < 6; n++) {
    renewals.refused(0);
    waits.push(await given());
  }
  expect(waits).toEqual([30, 60, 120, 240, 300, 300]);
  expect(renewals.countRefused()).toBe(1);
  renewals.put(0);
  expect(renewals.countRefused()).toBe(0);
});

test("sleep of the machine brings the ends nearer; a clock set back does not move them away", async () => {
  const { clock, take } = renewalsOf([40_000]);
  clock.jump(-3_600_000);
  await clock.advance(19_000);
  expect(take(1)).toEqual([-1]);
  await clock.advance(1000);
  expect(take(1)).toEqual([0]);
  const asleep = renewalsOf([40_000]);
  asleep.clock.jump(25_000);
  await asleep.clock.advance(1000);
  expect(asleep.take(1)).toEqual([0]);
});

test("a failed renewal is retried shortly before the end, whatever failed before", async () => {
  const { clock, renewals } = renewalsOf([900_000], 3_600_000);
  let tries = 0;
  let lastAt = 0;
  for (let second = 0; second < 900; second++) {
    if (renewals.take() >= 0) {
      renewals.refused(0);
      tries += 1;
      lastAt = second;
    }
    await clock.advance(1000);
  }
  expect(lastAt).toBeGreaterThan(890);
  expect(tries).toBeLessThan(40);
});

test("an end learnt from a wrong clock delays no renewal", async () => {
  const { clock, take } = renewalsOf([100 * TTL_MS]);
  await clock.advance((3 / 4) * TTL_MS - 1000);
  expect(take(1)).toEqual([-1]);
  await clock.advance(1000);
  expect(take(1)).toEqual([0]);
});

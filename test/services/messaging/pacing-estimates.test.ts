import { describe, expect, it } from "vitest";
import { createEstimates, PRECISION } from "../../../src/services/messaging/pacing/estimates.ts";
import { decayed, fallen, weighted } from "../../../src/services/messaging/pacing/model.ts";
import fc from "../../support/fc.ts";

const NOW = Date.UTC(2026, 0, 1);
const rate = fc.double({ min: 1e-4, max: 0.1, noNaN: true });
/** Seconds, on both sides of the point where the series end. */
const wait = fc.double({ min: 1e-3, max: 600, noNaN: true });

/** By Simpson's rule. */
function integral(of: (s: number) => number, to: number): number {
  const steps = 2000;
  let sum = of(0) + of(to);
  for (let n = 1; n < steps; n++) sum += (n % 2 === 0 ? 2 : 4) * of((n * to) / steps);
  return (sum * to) / (3 * steps);
}

describe("the mathematics of a wait", () => {
  it("is that of the exponential, for short waits too", () => {
    fc.assert(
      fc.property(rate, wait, wait, (rate, u, d) => {
        expect(fallen(rate * u) / Math.exp(-rate * u)).toBeCloseTo(1, 6);
        const falling = (s: number) => Math.exp(-rate * s);
        expect(decayed(rate, u) / integral(falling, u)).toBeCloseTo(1, 6);
        expect(weighted(rate, u, d) / integral((s) => (s + d) * falling(s), u)).toBeCloseTo(1, 6);
      }),
    );
  });
});

describe("estimates", () => {
  it("predict when an index is reached, as accurately as promised", () => {
    const polls = fc.array(fc.tuple(wait, fc.integer({ min: 0, max: 5 })), { maxLength: 20 });
    fc.assert(
      fc.property(polls, fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (polls, value) => {
        const estimates = createEstimates();
        estimates.begin(0, NOW, 1 / 300);
        let now = NOW;
        for (const [seconds, messages] of polls) {
          now += seconds * 1000;
          estimates.observe(0, now, messages, 1 / 300);
          estimates.beginWait(0, now);
        }
        const reached = estimates.indexAt(0, estimates.reachedAt(0, value));
        // A time in ms since the epoch is exact to a quarter of a microsecond.
        expect(Math.abs(reached - value)).toBeLessThanOrEqual((PRECISION + 1e-5) * value);
      }),
    );
  });

  it("stay unchanged while others arrive, and leave nothing to their replacements", () => {
    const estimates = createEstimates();
    estimates.begin(0, NOW, 0.01);
    estimates.observe(0, NOW + 1000, 0, 0.01);
    estimates.observe(0, NOW + 9000, 3, 0.01);
    const before = estimates.read(0);
    for (let slot = 1; slot < 200; slot++) estimates.begin(slot, NOW, 0.02);
    expect(estimates.read(0)).toEqual(before);
    estimates.begin(0, NOW, 0.02);
    expect(estimates.read(0)).toEqual(estimates.read(1));
  });
});

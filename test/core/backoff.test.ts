// The backoff: doubling, capped, jittered, never immediate.

import { expect, it } from "vitest";
import { createBackoff } from "../../src/core/backoff.ts";
import fc from "../support/fc.ts";

it("stays between half and all of a doubling ceiling of five minutes, whatever the random numbers", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 0.9999999, noNaN: true }), { minLength: 1 }), (dice) => {
      let draw = 0;
      const backoff = createBackoff(() => dice[draw++ % dice.length] ?? 0);
      for (let failure = 0; failure < 2000; failure++) {
        const ceiling = Math.min(300_000, 1000 * 2 ** failure);
        const delay = backoff.next();
        if (delay < ceiling / 2 || delay > ceiling) return false;
      }
      return true;
    }),
  );
});

it("starts over after a reset", () => {
  const backoff = createBackoff(() => 0);
  const delays = [backoff.next(), backoff.next(), backoff.next()];
  backoff.reset();
  expect([...delays, backoff.next()]).toEqual([500, 1000, 2000, 500]);
});

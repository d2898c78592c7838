// Waiting no longer than a given time, on a fake clock.

import { expect, test } from "vitest";
import { within } from "../../src/core/within.ts";
import { createFakeClock } from "../support/fake-clock.ts";

test("returns a result that came in time, and leaves no timer behind", async () => {
  const clock = createFakeClock(0);
  expect(await within(clock, 1000, Promise.resolve("done"))).toEqual({ value: "done" });
  expect(await within(clock, 1000, Promise.resolve(undefined))).toEqual({ value: undefined });
  await expect(within(clock, 1000, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(clock.pending()).toBe(0);
});

test("gives up after the time, or with the signal; a later failure is ignored", async () => {
  const clock = createFakeClock(0);
  const late = Promise.withResolvers<string>();
  const waiting = within(clock, 1000, late.promise);
  await clock.advance(999);
  expect(clock.pending()).toBe(1);
  await clock.advance(1);
  expect(await waiting).toBeUndefined();
  const caller = new AbortController();
  const aborted = within(clock, 1000, late.promise, caller.signal);
  caller.abort();
  expect(await aborted).toBeUndefined();
  late.reject(new Error("too late"));
  await clock.settle();
});

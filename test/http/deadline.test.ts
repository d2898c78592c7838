// Many deadlines share a timer and a caller; each ends as if it were the only one.

import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { startDeadline } from "../../src/http/deadline.ts";
import { HttpError } from "../../src/http/errors.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

const CALLERS = 3;
const END_MS = 100;

const act = fc.record({
  atMs: fc.nat({ max: END_MS }),
  does: fc.constantFrom("end", "lift", "restart"),
});
const plan = fc.record({
  startMs: fc.nat({ max: 40 }),
  timeoutMs: fc.integer({ min: 1, max: 50 }),
  caller: fc.option(fc.nat({ max: CALLERS - 1 })),
  acts: fc.array(act, { maxLength: 3 }),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

/**
 * A restart is a quarter of a millisecond after `atMs`, everything else half of one: so nothing coincides with a
 * timer.
 */
const timeOf = ({ atMs, does }: Plan["acts"][number]) => atMs + (does === "restart" ? 0.25 : 0.5);
const STEP_MS = 0.25;
/** The clock has moved a step past the last act. */
const LAST_MS = END_MS + STEP_MS;

/** How a single one ends: when, and why. */
function alone({ startMs, timeoutMs, caller, acts }: Plan, abortsMs: (number | null)[]): string | undefined {
  const abortMs = (caller === null ? null : abortsMs[caller]) ?? Number.POSITIVE_INFINITY;
  let dueMs = startMs + timeoutMs;
  for (let now = startMs; now <= LAST_MS; now += STEP_MS) {
    if (abortMs + 0.5 <= now) return `aborted at ${now}`;
    if (dueMs <= now) return `timeout at ${now}`;
    for (const { does } of acts.filter((each) => timeOf(each) === now)) {
      if (does === "end") return undefined;
      dueMs = does === "lift" ? Number.POSITIVE_INFINITY : Math.max(dueMs, now + timeoutMs);
    }
  }
  return undefined;
}

test("each of many deadlines ends on its own time, and leaves nothing behind", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(plan, { minLength: 1, maxLength: 20 }),
      fc.array(fc.option(fc.nat({ max: END_MS })), { minLength: CALLERS, maxLength: CALLERS }),
      async (plans, abortsMs) => {
        const clock = createFakeClock();
        const callers = abortsMs.map(() => new AbortController());
        const ends: (string | undefined)[] = plans.map(() => undefined);
        const started = new Map<Plan, ReturnType<typeof startDeadline>>();
        const start = (each: Plan, index: number) => {
          const deadline = startDeadline({
            clock,
            timeoutMs: each.timeoutMs,
            signal: each.caller === null ? undefined : callers[each.caller]?.signal,
            failure: (kind) =>
              new HttpError({
                ...{ kind, service: "nex", label: "", message: "", code: kind },
                ...{ retryable: false, maybeSent: false },
              }),
          });
          deadline.add({ giveUp: ({ kind }) => (ends[index] = `${kind} at ${clock.monotonic()}`) });
          started.set(each, deadline);
        };
        for (let now = 0; now <= END_MS; now += STEP_MS) {
          for (const [index, at] of abortsMs.entries())
            if (at !== null && at + 0.5 === now) callers[index]?.abort();
          for (const [each, deadline] of started)
            for (const does of each.acts) if (timeOf(does) === now) deadline[does.does]();
          for (const [index, each] of plans.entries()) if (each.startMs === now) start(each, index);
          await clock.advance(STEP_MS);
        }
        expect(ends).toEqual(plans.map((each) => alone(each, abortsMs)));
        for (const deadline of started.values()) deadline.end();
        expect(clock.pending()).toBe(0);
        for (const { signal } of callers) expect(getEventListeners(signal, "abort")).toEqual([]);
      },
    ),
    { numRuns: 80 },
  );
});

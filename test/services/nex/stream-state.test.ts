import { describe, expect, test } from "vitest";
import {
  type Announcement,
  INITIAL,
  type StreamInput,
  type StreamState,
  step,
} from "../../../src/services/nex/stream-state.ts";
import fc from "../../support/fc.ts";

const lost = (failures: number, more: Partial<StreamInput & { kind: "lost" }> = {}): StreamInput => ({
  ...{ kind: "lost", failures, retryInMs: 1000, code: "connection_lost", isRefusal: false },
  ...more,
});
const opened: StreamInput = { kind: "opened" };
const healthy: StreamInput = { kind: "healthy" };

/** The result of each input, a second apart by default. */
function run(...inputs: (StreamInput | number)[]) {
  let state: StreamState = INITIAL;
  let at = 0;
  const path: string[] = [];
  for (const input of inputs) {
    if (typeof input === "number") {
      at += input;
      continue;
    }
    at += 1000;
    const { after, announce } = step(state, input, at);
    state = after;
    path.push([after.state, ...announce].join(" "));
  }
  return path;
}

describe("the state of the stream", () => {
  test("goes from live through recovering to polling on the third failure, and back to live", () => {
    expect(run(opened, 120_000, lost(1), lost(2), lost(3), lost(4), opened, healthy)).toEqual([
      ...[
        "live opened",
        "recovering lost",
        "recovering",
        "polling fallback",
        "polling",
        "live",
        "live opened",
      ],
    ]);
  });

  test("is polling if the outage or the wait for the next attempt exceeds a minute", () => {
    const tick: StreamInput = { kind: "tick" };
    expect(run(opened, 120_000, lost(1), 50_000, tick, 20_000, tick, tick)).toEqual([
      ...["live opened", "recovering lost", "recovering", "polling fallback", "polling"],
    ]);
    expect(run(lost(1, { retryInMs: 300_000 }))).toEqual(["polling lost fallback"]);
  });

  test("is refused on a bad key, which is reported even if the loss already was", () => {
    const refused = lost(2, { isRefusal: true, code: "nex_key_refused" });
    expect(run(opened, 120_000, lost(1), refused, refused, opened, healthy)).toEqual([
      ...["live opened", "recovering lost", "refused lost", "refused", "live", "live opened"],
    ]);
  });

  test("is reported at most twice a minute while a stream flaps", () => {
    const turns = Array.from({ length: 600 }, () => [opened, lost(1)]).flat();
    const told = run(...turns).filter((what) => what.includes(" "));
    // Twenty minutes.
    expect(told.length).toBeLessThanOrEqual(42);
    expect(told[0]).toBe("live opened");
  });

  test("is reported as opened at once after one failure, and after several once the stream has lived", () => {
    expect(run(opened, 120_000, lost(1), opened)).toEqual(["live opened", "recovering lost", "live opened"]);
    expect(run(opened, 120_000, lost(1), lost(2), opened, { kind: "tick" }, healthy)).toEqual([
      ...["live opened", "recovering lost", "recovering", "live", "live", "live opened"],
    ]);
  });

  test("keeps polling in between while a stream opens but never becomes healthy, and reports that once", () => {
    expect(run(opened, lost(1), opened, lost(2), opened, lost(3), opened, lost(4))).toEqual([
      ...["live opened", "recovering", "live", "recovering", "live", "polling lost fallback"],
      ...["live", "polling"],
    ]);
  });

  test("reports lost before fallback and opened, each once per outage, whatever happens", () => {
    const input = fc.oneof(
      fc.constantFrom<StreamInput>(opened, { kind: "healthy" }, { kind: "tick" }),
      fc.record({
        kind: fc.constant("lost" as const),
        failures: fc.integer({ min: 1, max: 5 }),
        retryInMs: fc.constantFrom(1000, 300_000),
        code: fc.constantFrom("a", "b"),
        isRefusal: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(input, fc.nat(90_000)), { maxLength: 40 }), (steps) => {
        let state: StreamState = INITIAL;
        let at = 0;
        let last: Announcement | undefined;
        for (const [one, ms] of steps) {
          at += ms;
          const { after, announce } = step(state, one, at);
          for (const name of announce) {
            if (name === "fallback") expect(last).toBe("lost");
            if (name === "opened") expect(last).not.toBe("opened");
            last = name;
          }
          if (one.kind === "opened") expect(after.state).toBe("live");
          if (one.kind === "lost") expect(["recovering", "polling", "refused"]).toContain(after.state);
          if (after.state === "polling" || after.state === "refused") expect(after.told?.kind).toBe("lost");
          state = after;
        }
      }),
    );
  });
});

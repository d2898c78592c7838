// The state machine of a sink, run by a driver that does what the engine does, with time and events in any order.

import { describe, expect, test } from "vitest";
import * as machine from "../../src/sinks/machine.ts";
import { fromRecord, newMemory, toRecord } from "../../src/sinks/record.ts";
import fc from "../support/fc.ts";

const HOUR = 3_600_000;
const LONGEST_STEP = 330_000;

const POLICY: machine.Policy = {
  debounceMs: 2000,
  stuckAfterMs: 600_000,
  maxWakesPerHour: 20,
  leastIntervalMs: 0,
};

type Action =
  | { do: "event" }
  | { do: "acknowledge"; part: number }
  | { do: "pass"; ms: number }
  | { do: "restart"; awayMs: number; wallJumpMs: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: "event" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("acknowledge" as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 900_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("restart" as const),
      awayMs: fc.integer({ min: 0, max: 600_000 }),
      wallJumpMs: fc.integer({ min: -HOUR * 48, max: HOUR * 48 }),
    }),
  },
);

/** What the engine does: checks after each event and at each due time, and wakes if it may. */
function drive(policy: machine.Policy) {
  let now = 1_000_000;
  let wall = Date.UTC(2026, 0, 1);
  let state = machine.quietSince(now);
  let pending = 0;
  const wakes: number[] = [];
  /** When something last became pending or was acknowledged, while something is pending. */
  let unreadSince = now;
  let stucks = 0;

  const nextAt = () => {
    const times = [machine.wakeAt(state, policy), machine.stuckAt(state, policy)].filter(
      (at) => at !== undefined,
    );
    return times.length === 0 ? undefined : Math.min(...times);
  };
  const look = () => {
    state = machine.looked(state, pending > 0, policy, now);
    const stuckAt = machine.stuckAt(state, policy);
    if (stuckAt !== undefined && stuckAt <= now) {
      stucks += 1;
      state = machine.stuck(state, now);
    }
    const at = machine.wakeAt(state, policy);
    if (at === undefined || at > now) return;
    wakes.push(now);
    state = machine.woke(state, now, Math.random);
  };
  return {
    wakes,
    get state() {
      return state;
    },
    get now() {
      return now;
    },
    get pending() {
      return pending;
    },
    get unreadSince() {
      return unreadSince;
    },
    get stucks() {
      return stucks;
    },
    nextAt,
    event() {
      if (pending === 0) unreadSince = now;
      pending += 1;
      look();
    },
    acknowledge(part: number) {
      const read = Math.ceil(pending * part);
      if (read === 0) return;
      pending -= read;
      unreadSince = now;
      state = machine.acknowledged(state, pending > 0, policy, now, Math.random);
      look();
    },
    pass(ms: number) {
      const until = now + ms;
      for (let at = nextAt(); at !== undefined && at <= until; at = nextAt()) {
        wall += Math.max(0, at - now);
        now = Math.max(now, at);
        look();
      }
      wall += until - now;
      now = until;
      look();
    },
    /** Killed, and restarted with the state on disk, on a machine with any uptime and wall clock. */
    restart(awayMs: number, wallJumpMs: number) {
      const stored = JSON.parse(JSON.stringify(toRecord({ ...newMemory(0, now), state }, now, wall)));
      wall += awayMs + wallJumpMs;
      now += awayMs;
      // A steady clock knows how long ago that was, whatever the wall clock says now.
      const memory = fromRecord(stored, now, () => awayMs);
      if (!memory) throw new Error("the record cannot be read");
      state = memory.state;
      look();
    },
  };
}

const run = (
  actions: readonly Action[],
  policy = POLICY,
  check: (sink: ReturnType<typeof drive>) => void = () => {},
) => {
  const sink = drive(policy);
  for (const one of actions) {
    if (one.do === "event") sink.event();
    else if (one.do === "acknowledge") sink.acknowledge(one.part);
    else if (one.do === "pass") sink.pass(one.ms);
    else sink.restart(one.awayMs, one.wallJumpMs);
    check(sink);
  }
  return sink;
};

const policies = fc.record({
  debounceMs: fc.constantFrom(0, 2000, 60_000),
  stuckAfterMs: fc.constantFrom(10_000, 600_000),
  maxWakesPerHour: fc.integer({ min: 1, max: 30 }),
  leastIntervalMs: fc.constantFrom(0, 30_000),
});

describe("after any sequence of events", () => {
  test("M1: with nothing pending there is no wake and no timer", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), policies, (actions, policy) => {
        run(actions, policy, (sink) => {
          if (sink.pending > 0) return;
          expect(sink.state.phase).toBe("quiet");
          expect(sink.nextAt()).toBeUndefined();
          const before = sink.wakes.length;
          sink.pass(24 * HOUR);
          expect(sink.wakes.length).toBe(before);
        });
      }),
    );
  });

  test("M2: no hour has more wakes than the limit, even over restarts, and none comes sooner than the minimum interval", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), policies, (actions, policy) => {
        const { wakes } = run(actions, policy);
        wakes.forEach((at, index) => {
          const withinHour = wakes.slice(index).filter((other) => other < at + HOUR);
          expect(withinHour.length).toBeLessThanOrEqual(policy.maxWakesPerHour);
          const next = wakes[index + 1];
          if (next !== undefined) expect(next - at).toBeGreaterThanOrEqual(policy.leastIntervalMs);
        });
      }),
    );
  });

  test("M3: pending events are woken for again, for ever, with the ladder's longest step as the longest wait", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const sink = run(actions, { ...POLICY, maxWakesPerHour: 3600 });
        sink.event();
        for (let looks = 0; looks < 50; looks++) {
          const before = sink.wakes.length;
          sink.pass(LONGEST_STEP);
          expect(sink.wakes.length).toBeGreaterThan(before);
        }
        expect(sink.state.stuckSince).not.toBeNull();
      }),
    );
  });

  test("M4: events that arrive during a wake cause no second one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 29_000 }), (events, ms) => {
        const sink = drive(POLICY);
        sink.event();
        sink.pass(2000);
        for (let event = 0; event < events; event++) {
          sink.event();
          sink.pass(ms / events);
        }
        expect(sink.wakes).toHaveLength(1);
      }),
    );
  });

  test("it is stuck exactly while nothing was acknowledged for stuck_after", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        run(
          actions.filter((one) => one.do !== "restart"),
          POLICY,
          (sink) => {
            const isLate = sink.pending > 0 && sink.now - sink.unreadSince >= POLICY.stuckAfterMs;
            expect(sink.state.stuckSince !== null).toBe(isLate);
          },
        );
      }),
    );
  });
});

describe("the ladder", () => {
  const gaps = (wakes: readonly number[]) => wakes.slice(1).map((at, index) => at - (wakes[index] ?? 0));

  test("is 30, 60, 120, 240, 300, 300 … s, each step up to a tenth longer", () => {
    const sink = drive({ ...POLICY, maxWakesPerHour: 3600 });
    sink.event();
    sink.pass(HOUR);
    const steps = [30, 60, 120, 240, 300, 300, 300, 300, 300];
    steps.forEach((step, index) => {
      const gap = gaps(sink.wakes)[index] ?? 0;
      expect(gap).toBeGreaterThanOrEqual(step * 1000);
      expect(gap).toBeLessThanOrEqual(step * 1100);
    });
  });

  test("stays within 20 wakes an hour by itself, so a reader that is merely slow never waits for the limit", () => {
    const sink = drive(POLICY);
    sink.event();
    sink.pass(10 * HOUR);
    expect(Math.max(...gaps(sink.wakes))).toBeLessThanOrEqual(LONGEST_STEP);
  });

  test("starts over after an acknowledgement that leaves something, 30 s later", () => {
    const sink = drive(POLICY);
    sink.event();
    sink.event();
    sink.pass(300_000);
    const before = sink.wakes.length;
    const at = sink.now;
    sink.acknowledge(0.5);
    sink.pass(120_000);
    const after = sink.wakes.slice(before);
    expect((after[0] ?? 0) - at).toBeGreaterThanOrEqual(30_000);
    expect((after[0] ?? 0) - at).toBeLessThanOrEqual(33_000);
    expect(gaps(after)[0]).toBeGreaterThanOrEqual(60_000);
  });

  test("a long command is not followed at once: the next step starts when it ends", () => {
    let state = machine.looked(machine.quietSince(0), true, POLICY, 0);
    state = machine.woke(state, 2000, () => 0);
    state = machine.ended(state, { unreadSince: 0, tookMs: 100_000 }, POLICY, 102_000);
    expect(machine.wakeAt(state, POLICY)).toBe(132_000);
  });

  test("after an acknowledgement during a command, the rest is due at the later of both times", () => {
    let state = machine.looked(machine.quietSince(0), true, POLICY, 0);
    state = machine.woke(state, 2000, () => 0);
    state = machine.acknowledged(state, true, POLICY, 10_000, () => 0);
    const how = { unreadSince: 0, tookMs: 0 };
    expect(machine.wakeAt(machine.ended(state, how, POLICY, 12_000), POLICY)).toBe(40_000);
    expect(machine.wakeAt(machine.ended(state, how, POLICY, 90_000), POLICY)).toBe(92_000);
  });

  test("a target that asks for more time gets it", () => {
    let state = machine.looked(machine.quietSince(0), true, POLICY, 0);
    state = machine.woke(state, 2000, () => 0);
    state = machine.ended(state, { unreadSince: 0, tookMs: 0, retryAfterMs: 3_000_000 }, POLICY, 2000);
    expect(machine.wakeAt(state, POLICY)).toBe(3_002_000);
  });

  test("a delivery by a target does not count towards the limit, and the rest follows at once", () => {
    let state = machine.looked(machine.quietSince(0), true, POLICY, 0);
    for (let delivery = 0; delivery < 100; delivery++) {
      const at = machine.wakeAt(state, POLICY) ?? Number.NaN;
      expect(at).toBe(2000);
      state = machine.delivered(machine.woke(state, at, Math.random), true, at);
    }
    expect(machine.delivered(machine.woke(state, 2000, Math.random), false, 2000)).toMatchObject({
      ...{ phase: "quiet", recent: [] },
    });
  });
});

describe("the stored state", () => {
  test("returns with its place on the ladder, shifted by the elapsed time", () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 40 }),
        fc.integer({ min: 0, max: HOUR }),
        (actions, awayMs) => {
          const { state, now } = run(actions);
          const stored = toRecord({ ...newMemory(7, now), state }, now, 5_000_000);
          // Another boot of the machine: its uptime is unrelated to the previous one.
          const again = fromRecord(JSON.parse(JSON.stringify(stored)), 50, () => awayMs);
          expect(again?.position).toBe(7);
          expect(again?.state).toEqual(machine.shifted(state, 50 - awayMs - now));
        },
      ),
    );
  });

  test.each([undefined, null, 5, "x", {}, { savedAt: 1 }, { savedAt: "1", state: {} }])(
    "%j is not a valid record",
    (value) => {
      expect(fromRecord(value, 0, () => 0)).toBeUndefined();
    },
  );
});

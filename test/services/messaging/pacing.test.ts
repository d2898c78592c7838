import { describe, expect, it } from "vitest";
import { pollPaceMs, pollPlaces } from "../../../src/services/messaging/membership/sessions.ts";
import { estimateRecord } from "../../../src/services/messaging/pacing/estimates.ts";
import { createPacing, type Pacing } from "../../../src/services/messaging/pacing/pacing.ts";
import fc from "../../support/fc.ts";

const PACE_MS = 667;
const START = Date.UTC(2026, 0, 1);

/** Polls at the pace; `arrivals` says how many messages came in a session since its last poll. */
function run(
  count: number,
  polls: number,
  arrivals: (session: number, fromMs: number, toMs: number) => number,
  maxStalenessMs = 60_000,
) {
  const pacing = createPacing({ paceMs: PACE_MS, maxStalenessMs });
  for (let n = 0; n < count; n++) pacing.add(String(n), START);
  const last = Array.from({ length: count }, () => START);
  const waits = Array.from({ length: count }, () => [] as number[]);
  for (let poll = 0; poll < polls; poll++) {
    const now = START + poll * PACE_MS;
    const id = pacing.next(now);
    if (id === undefined) throw new Error("a session was free and none was given");
    const n = Number(id);
    const from = last[n] ?? START;
    waits[n]?.push(now - from);
    last[n] = now;
    pacing.polled(id, now, arrivals(n, from, now));
  }
  return { pacing, waits };
}

/** An estimate as it comes back from the database. */
const stored = (pacing: Pacing, id: string) =>
  estimateRecord.parse(JSON.parse(JSON.stringify(pacing.estimate(id))));

describe("the polling order", () => {
  it("no session waits longer than the cap if the pace allows that, whatever arrives", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 1, max: 9 }), (count, busy) => {
        const { waits } = run(count, 1500, (n) => (n % busy === 0 ? 3 : 0));
        for (const wait of waits) {
          expect(wait.length).toBeGreaterThan(0);
          expect(Math.max(...wait)).toBeLessThanOrEqual(60_000 + PACE_MS);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("if the pace does not allow the cap, all share: none waits longer than an even share plus a third", () => {
    const count = 300;
    const { waits } = run(count, 4000, (n) => (n < 5 ? 5 : 0));
    for (const wait of waits.slice(5))
      expect(Math.max(...wait)).toBeLessThanOrEqual((4 / 3) * count * PACE_MS + PACE_MS);
  });

  it("a talkative session is polled more often than silent ones", () => {
    const { waits } = run(30, 3000, (n, from, to) => (n === 7 ? Math.round((to - from) / 2000) : 0));
    const polls = waits.map((wait) => wait.length);
    const silent = polls.filter((_, n) => n !== 7);
    expect(polls[7]).toBeGreaterThan(5 * Math.max(...silent));
  });

  it("equal sessions take turns", () => {
    const { waits } = run(20, 2000, (_n, from, to) => ((to - from) % 3 === 0 ? 1 : 0));
    const counts = waits.map((wait) => wait.length);
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.5);
  });

  it("a session in progress is not given twice, a removed one never, a paused one not before its time", () => {
    const pacing = createPacing({ paceMs: PACE_MS, maxStalenessMs: 60_000 });
    for (const id of ["a", "b", "c"]) pacing.add(id, START);
    const first = pacing.next(START);
    const second = pacing.next(START + 1);
    const third = pacing.next(START + 2);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(pacing.next(START + 3)).toBeUndefined();
    for (const id of ["a", "b", "c"]) pacing.polled(id, START + 4, 0);
    pacing.remove("a");
    pacing.pause("b", START + 10_000);
    for (let at = 5; at < 9000; at += 1000) {
      const id = pacing.next(START + at);
      expect(id).toBe("c");
      pacing.polled("c", START + at, 0);
    }
    pacing.polled(pacing.next(START + 10_001) ?? "", START + 10_001, 0);
    expect(pacing.next(START + 10_002)).toBeDefined();
  });

  it("an own message brings the session's turn forward", () => {
    const { pacing } = run(30, 2000, () => 0);
    const now = START + 2000 * PACE_MS;
    pacing.sent("11", now);
    const next = Array.from({ length: 10 }, (_, n) => {
      const id = pacing.next(now + n * PACE_MS) ?? "";
      pacing.polled(id, now + n * PACE_MS, 0);
      return id;
    });
    expect(next).toContain("11");
  });

  it("the first poll of a session only starts its clock, even over a restart", () => {
    const [before, after] = [1, 2].map(() => createPacing({ paceMs: PACE_MS, maxStalenessMs: 60_000 }));
    before?.add("a", START);
    after?.add("a", START + 1000, before && stored(before, "a"));
    for (const [poll, messages] of [50, 2].entries()) {
      const now = START + 2000 + poll * PACE_MS;
      expect(after?.next(now)).toBe("a");
      after?.polled("a", now, messages);
    }
    expect(after?.estimate("a")?.messages).toBe(2);
  });

  it("estimates kept over a restart give the same decisions", () => {
    const arrivals = (n: number) => (n % 4 === 0 ? 1 : 0);
    const { pacing } = run(12, 800, arrivals);
    const again = createPacing({ paceMs: PACE_MS, maxStalenessMs: 60_000 });
    for (let n = 0; n < 12; n++) again.add(String(n), START + 800 * PACE_MS, stored(pacing, String(n)));
    for (let poll = 800; poll < 900; poll++) {
      const now = START + poll * PACE_MS;
      const id = pacing.next(now) ?? "";
      expect(again.next(now)).toBe(id);
      for (const one of [pacing, again]) one.polled(id, now, arrivals(Number(id)));
    }
  });

  it("an estimate from a clock that was ahead delays nothing: it counts as a current one", () => {
    const { pacing } = run(3, 300, () => 1);
    const earlier = START - 3_600_000;
    const again = createPacing({ paceMs: PACE_MS, maxStalenessMs: 60_000 });
    for (const id of ["0", "1", "2"]) again.add(id, earlier, pacing.estimate(id));
    const taken = new Set<string | undefined>();
    for (let poll = 1; poll <= 30; poll++) {
      const id = again.next(earlier + poll * PACE_MS);
      taken.add(id);
      again.polled(id ?? "", earlier + poll * PACE_MS, 1);
    }
    expect(taken).toEqual(new Set(["0", "1", "2"]));
  });

  it("the cost of a decision is independent of the number of sessions", () => {
    const costOf = (count: number) => {
      const { pacing } = run(count, 2 * count + 2000, (n) => (n % 10 === 0 ? 1 : 0), 1e9);
      const before = pacing.work();
      const from = START + (2 * count + 2000) * PACE_MS;
      for (let poll = 0; poll < 500; poll++) {
        const id = pacing.next(from + poll * PACE_MS) ?? "";
        pacing.polled(id, from + poll * PACE_MS, 0);
      }
      return (pacing.work() - before) / 500;
    };
    expect(costOf(5000)).toBeLessThan(4 * costOf(100));
  });
});

it("answers that take five seconds do not slow the pace", () => {
  for (const requests_per_minute of [20, 60, 100, 150]) {
    const limits = { requests_per_minute, reserve_per_minute: 10 };
    const answered = (pollPlaces(limits) * 60_000) / 5000;
    expect(answered).toBeGreaterThanOrEqual(60_000 / pollPaceMs(limits));
  }
});

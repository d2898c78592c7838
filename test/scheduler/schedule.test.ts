// Schedules: which are refused, and how clock changes affect runs.

import { expect, it, test } from "vitest";
import { createSchedule } from "../../src/scheduler/schedule.ts";
import fc from "../support/fc.ts";
import { DAY, MINUTE } from "./harness.ts";

test.each([
  ["0 0 30 2 *", "never comes"],
  ["0 3 31 2,4,6,9,11 *", "never comes"],
  ["0 0 0 31 6 *", "never comes"],
  ["2020-01-01T00:00:00", "must be a cron expression"],
  ["2999-01-01T00:00:00", "must be a cron expression"],
  ["0 0 0 1 1 * 2020", "must be a cron expression"],
  ["0 0 0 1 1 * 2999", "must be a cron expression"],
  ["* * * *", "must be a cron expression"],
  ["", "must be a cron expression"],
])("the schedule %j is refused: %s", (expression, message) => {
  expect(() => createSchedule(expression, "UTC")).toThrow(message);
});

test.each(["0 0 29 2 *", "0 0 31 * *", "*/5 * * * *", "@daily", "  0 9 * * 1-5 ", "30 0 9 * * *"])(
  "the schedule %j is accepted",
  (expression) => {
    expect(createSchedule(expression, "UTC").next(Date.UTC(2027, 0, 1))).toBeGreaterThan(0);
  },
);

test.each([
  ["30 2,14 * * *", "Europe/Berlin", "2027-03-27T20:00:00Z", "2027-03-28T12:30:00.000Z"],
  ["30 2 * * *", "Europe/Berlin", "2027-03-27T20:00:00Z", "2027-03-28T01:00:00.000Z"],
  ["0 23 * * *", "America/Nuuk", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00.000Z"],
  ["0 23 * * *", "America/Nuuk", "2027-03-28T01:00:00Z", "2027-03-29T00:00:00.000Z"],
  ["*/10 23 * * *", "America/Nuuk", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00.000Z"],
  ["0 23 27 3 *", "America/Nuuk", "2026-06-01T00:00:00Z", "2027-03-28T01:00:00.000Z"],
  ["0 23 * * 0", "America/Nuuk", "2027-03-27T12:00:00Z", "2027-03-29T00:00:00.000Z"],
  ["0 23 * * *", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T10:00:00.000Z"],
])("%s in %s runs after %s at %s", (expression, zone, after, expected) => {
  const next = createSchedule(expression, zone).next(Date.parse(after));
  expect(new Date(next ?? 0).toISOString()).toBe(expected);
});

/** For each calendar day: the first minute in which the clocks show the time, or have skipped it. */
function oracle(hour: number, minute: number, zone: string, from: number, to: number): number[] {
  const format = new Intl.DateTimeFormat("en-CA", {
    ...{ timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" },
    ...{ hour: "2-digit", minute: "2-digit" },
  });
  const wall = (at: number) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    return Date.parse(`${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:00Z`);
  };
  const runs: number[] = [];
  let goal = Math.floor(wall(from) / DAY) * DAY + (hour * 60 + minute) * MINUTE;
  if (goal <= wall(from)) goal += DAY;
  for (let at = from + MINUTE; at <= to; at += MINUTE)
    if (wall(at) >= goal) {
      runs.push(at);
      goal += DAY;
    }
  return runs;
}

const TRANSITIONS = [
  ["America/Nuuk", "2027-03-26"],
  ["America/Nuuk", "2026-10-23"],
  ["Australia/Lord_Howe", "2026-10-02"],
  ["Australia/Lord_Howe", "2027-04-02"],
  ["Africa/Cairo", "2027-04-28"],
  ["Africa/Cairo", "2026-10-28"],
  ["Pacific/Apia", "2011-12-28"],
  ["Antarctica/Troll", "2027-03-26"],
  ["Antarctica/Troll", "2026-10-23"],
  ["Africa/Casablanca", "2027-03-12"],
  ["Africa/Casablanca", "2026-02-13"],
  ["Europe/Berlin", "2027-03-26"],
] as const;

it("a daily run happens once a day, whatever the clocks do: at its time, or at the end of the gap that contains it", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TRANSITIONS),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      ([zone, day], hour, minute) => {
        const from = Date.parse(`${day}T00:00:00Z`);
        const to = from + 4 * DAY;
        const schedule = createSchedule(`${minute} ${hour} * * *`, zone);
        const runs: number[] = [];
        for (let at = schedule.next(from); at !== undefined && at <= to; at = schedule.next(at))
          runs.push(at);
        const iso = (times: number[]) => times.map((time) => new Date(time).toISOString());
        expect(iso(runs)).toEqual(iso(oracle(hour, minute, zone, from, to)));
      },
    ),
    { numRuns: 60 },
  );
});

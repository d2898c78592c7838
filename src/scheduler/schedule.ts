// Cron expressions as plain arithmetic on wall times in milliseconds; croner knows the calendar, not the clock.

import { Cron } from "croner";
import { createZone } from "./zone.ts";

export interface Schedule {
  /** The expression as status shows it. */
  text: string;
  /** Changes whenever the scheduled times may change. */
  identity: string;
  /** The first scheduled time after `ms`; undefined if there is none. */
  next(ms: number): number | undefined;
  /** The distance between the next two scheduled times after `ms`. */
  intervalMs(ms: number): number | undefined;
  /** The scheduled times in (from, to]: how many, at most `COUNT_CAP`, and the first and last of those counted. */
  passed(from: number, to: number): { count: number; first: number; last: number };
}

const COUNT_CAP = 1000;

/** An expression or time zone that croner does not accept. */
export class ScheduleError extends Error {
  override readonly name = "ScheduleError";
  readonly field: "schedule" | "timezone";
  readonly reason: string;

  constructor(field: ScheduleError["field"], reason: string) {
    super(`${field} ${reason}`);
    this.field = field;
    this.reason = reason;
  }
}

/** @throws ScheduleError */
export function createSchedule(expression: string, timezone?: string): Schedule {
  const cron = parse(expression, timezone);
  const next = withSkippedDays(expression, timezone, (ms) => cron.nextRun(new Date(ms))?.getTime());
  if (next(0) === undefined) throw new ScheduleError("schedule", "describes a time that never comes");
  return {
    text: expression,
    identity: timezone === undefined ? expression : `${expression} ${timezone}`,
    next,
    intervalMs(ms) {
      const first = next(ms);
      const second = first === undefined ? undefined : next(first);
      return first === undefined || second === undefined ? undefined : second - first;
    },
    passed(from, to) {
      const passed = { count: 0, first: from, last: from };
      for (let at = next(from); at !== undefined && at <= to && passed.count < COUNT_CAP; at = next(at)) {
        if (passed.count === 0) passed.first = at;
        passed.count += 1;
        passed.last = at;
      }
      return passed;
    },
  };
}

function parse(expression: string, timezone: string | undefined): Cron {
  try {
    if (timezone !== undefined && timezone !== "UTC") new Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch {
    throw new ScheduleError("timezone", 'must be an IANA name, such as "Europe/Berlin"');
  }
  const fields = expression.trim().split(/\s+/).length;
  // croner also accepts a date, or a seventh field for the year. Both come to an end, and a job does not.
  if (!(expression.trim().startsWith("@") || fields === 5 || fields === 6)) throw malformed();
  try {
    return new Cron(expression, { paused: true, ...(timezone !== undefined && { timezone }) });
  } catch {
    throw malformed();
  }
}

const malformed = () =>
  new ScheduleError(
    "schedule",
    'must be a cron expression of 5 fields, or 6 with seconds first, such as "*/5 * * * *"',
  );

/**
 * If the clocks skip the single hour of a schedule, croner runs it at the end of the gap, but drops the run if that is
 * on the next day. A list of hours, or every hour, skips the gap anyway.
 */
function withSkippedDays(
  expression: string,
  timezone: string | undefined,
  next: Schedule["next"],
): Schedule["next"] {
  const hour = expression.trim().split(/\s+/).at(-4) ?? "";
  if (!/^\d+$/.test(hour)) return next;
  const zone = createZone(timezone);
  /** The same wall times, as if the clocks never changed. */
  const onTheWall = parse(expression, "UTC");
  return (ms) => {
    const planned = next(ms);
    for (const gap of zone.gapsOverMidnight(ms, planned)) {
      const skipped = onTheWall.nextRun(new Date(gap.fromWall - 1000))?.getTime();
      if (skipped !== undefined && skipped < gap.toWall) return gap.at;
    }
    return planned;
  };
}

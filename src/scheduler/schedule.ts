// Cron expressions as plain arithmetic on wall times in milliseconds; croner knows the calendar, not the clock.

import { Cron } from "croner";

export interface Schedule {
  /** The expression as status shows it. */
  text: string;
  /** Differs whenever the scheduled times may differ. */
  identity: string;
  /** The first scheduled time after `ms`; undefined when there is none. */
  next(ms: number): number | undefined;
  /** The distance between the next two scheduled times after `ms`. */
  intervalMs(ms: number): number | undefined;
  /** The scheduled times in (from, to]: how many, at most `COUNT_CAP`, and the first and last of those counted. */
  passed(from: number, to: number): { count: number; first: number; last: number };
}

const COUNT_CAP = 1000;

/** An expression or time zone that croner does not know. */
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
  const next = (ms: number) => cron.nextRun(new Date(ms))?.getTime();
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
    new Intl.DateTimeFormat("en", timezone === undefined ? {} : { timeZone: timezone });
  } catch {
    throw new ScheduleError("timezone", 'must be an IANA name, such as "Europe/Berlin"');
  }
  try {
    return new Cron(expression, { paused: true, ...(timezone !== undefined && { timezone }) });
  } catch {
    throw new ScheduleError(
      "schedule",
      'must be a cron expression of 5 fields, or 6 with seconds first, such as "*/5 * * * *"',
    );
  }
}

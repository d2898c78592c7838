// Where the clocks of a time zone skip midnight: when they go forward at 23:00, or a whole day is left out.

/** The clocks skip the wall times from `fromWall` to `toWall`, both as if they were UTC, at the instant `at`. */
export interface Gap {
  at: number;
  fromWall: number;
  toWall: number;
}

const DAY_MS = 86_400_000;
/** In all but odd years the clocks change at most twice; changes closer together cancel out unseen. */
const STEP_MS = 7 * DAY_MS;
/** Beyond that, a run is planned again long before. */
const LONGEST_MS = 400 * DAY_MS;

/** @param timezone IANA name; default: that of the machine */
export function createZone(timezone: string | undefined) {
  const known = new Map<number, number>();

  // Intl takes 3 MB, which most daemons can do without.
  let format: Intl.DateTimeFormat | undefined;
  const readOffset = (ms: number): number => {
    if (timezone === undefined) return -new Date(ms).getTimezoneOffset() * 60_000;
    format ??= new Intl.DateTimeFormat("en-US", {
      ...{ timeZone: timezone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric" },
      ...{ hour: "numeric", minute: "numeric", second: "numeric" },
    });
    const parts = Object.fromEntries(
      format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]),
    );
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  };
  /** Caches the offsets at the ends of the steps, which are needed again and again. */
  const offsetAt = (ms: number): number => {
    const found = known.get(ms);
    if (found !== undefined) return found;
    if (known.size > 200) known.clear();
    const offset = readOffset(ms);
    known.set(ms, offset);
    return offset;
  };

  /** The gap in the step from `start` on, if it covers midnight. */
  const gapIn = (start: number): Gap | undefined => {
    const before = offsetAt(start);
    const after = offsetAt(start + STEP_MS);
    if (after <= before) return undefined;
    let low = start;
    let high = start + STEP_MS;
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000;
      if (readOffset(middle) === before) low = middle;
      else high = middle;
    }
    const gap = { at: high, fromWall: high + before, toWall: high + readOffset(high) };
    return Math.floor(gap.fromWall / DAY_MS) < Math.floor(gap.toWall / DAY_MS) ? gap : undefined;
  };

  return {
    /** The first gaps over midnight after `from`, and before `to`. */
    *gapsOverMidnight(from: number, to: number | undefined): Generator<Gap> {
      const end = Math.min(to ?? Number.POSITIVE_INFINITY, from + LONGEST_MS);
      for (let start = Math.floor(from / STEP_MS) * STEP_MS; start < end; start += STEP_MS) {
        const gap = gapIn(start);
        if (gap && gap.at > from && gap.at < end) yield gap;
      }
    },
  };
}

// Retry-After (RFC 9110, section 10.2.3): a number of seconds or a date, as milliseconds to wait.

// If a server asks for days, nexusd waits an hour, then asks again.
const LONGEST_MS = 3_600_000;

const DELAY_SECONDS = /^\d+$/;
// The three forms of an HTTP-date all begin with the day's name; Date.parse alone would take "1.5" for a month.
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /;

/**
 * Milliseconds to wait, from 0 to one hour; undefined if the value is absent or in neither form.
 * @param nowMs the server's wall time, as milliseconds since the Unix epoch; ours if it does not say
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? "";
  const waitMs = DELAY_SECONDS.test(text) ? Number(text) * 1000 : parseHttpDate(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), LONGEST_MS);
}

/** Milliseconds since the Unix epoch, NaN if the text is not an HTTP-date. */
export function parseHttpDate(text: string): number {
  if (!HTTP_DATE.test(text)) return Number.NaN;
  // The asctime form names no zone and means UTC; Date.parse would read it as local time.
  return Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
}

/** The time window of `GET /insights`: `last`, or `from` with `to`, and `limit`. */

export interface InsightWindow {
  /** Both ends are inclusive; milliseconds since 1970. */
  fromMs: number;
  toMs: number;
  limit: number;
}

/** Returns the problem as a sentence if the query is invalid. */
export function readWindow(query: URLSearchParams, nowMs: number): InsightWindow | string {
  const limit = query.has("limit") ? Number(query.get("limit") || Number.NaN) : 20;
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) return "limit must be an integer from 1 to 100";

  const last = query.get("last");
  const from = query.get("from");
  const to = query.get("to");
  if (last !== null) {
    if (from !== null || to !== null) return "last cannot be combined with from and to";
    const lastMs = goDurationMs(last);
    if (lastMs === undefined) return "last must be a duration such as 30m, 2h or 1h30m";
    return { fromMs: nowMs - lastMs, toMs: nowMs, limit };
  }
  if (from === null && to === null) return { fromMs: Number.NEGATIVE_INFINITY, toMs: nowMs, limit };
  if (from === null || to === null) return "from and to must be given together";
  const fromMs = rfc3339Ms(from);
  const toMs = rfc3339Ms(to);
  if (fromMs === undefined || toMs === undefined) return "from and to must be RFC 3339 times";
  return fromMs > toMs ? "from must not be after to" : { fromMs, toMs, limit };
}

export function inWindow(window: InsightWindow, time: string): boolean {
  const ms = Date.parse(time);
  return window.fromMs <= ms && ms <= window.toMs;
}

/** Go's time.ParseDuration for hours, minutes and seconds: there is no `d`. */
function goDurationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?[hms])+$/.test(text)) return undefined;
  const unitMs = { h: 3_600_000, m: 60_000, s: 1000 };
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)([hms])/g)) {
    if (unit === "h" || unit === "m" || unit === "s") ms += Number(amount) * unitMs[unit];
  }
  return ms > 0 ? ms : undefined;
}

function rfc3339Ms(text: string): number | undefined {
  const isShaped = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isShaped ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

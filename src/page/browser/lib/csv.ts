// Tables as CSV (RFC 4180), safe from being run as formulas by a spreadsheet.

import type { HistoryView } from "../../../contract/api/history.ts";

/** What a spreadsheet would run as a formula. */
const FORMULA = /^[=+\-@\t\r]/;

const cell = (value: string | number | null): string => {
  if (typeof value !== "string") return value === null ? "" : String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** One row per time, one column per series. */
export function csvOf(times: readonly string[], series: HistoryView["series"]): string {
  const head = ["time", ...series.map(({ title, unit }) => (unit ? `${title} (${unit})` : title))];
  const rows = times.map((time, at) => [time, ...series.map(({ values }) => values[at] ?? null)]);
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

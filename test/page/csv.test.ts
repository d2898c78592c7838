// What the plots give as CSV.

import { expect, test } from "vitest";
import { csvOf } from "../../src/page/browser/lib/csv.ts";

const series = (title: string, values: (number | null)[]) => ({
  name: title,
  title,
  unit: "ms" as const,
  values,
});

test("a row for each moment, with empty cells for missing values", () => {
  const text = csvOf(
    ["2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"],
    [series("Delay", [-1.5, null]), series('of "a", b', [0, 3])],
  );
  expect(text).toBe(
    'time,Delay (ms),"of ""a"", b (ms)"\r\n2026-01-01T00:00:00.000Z,-1.5,0\r\n2026-01-01T00:01:00.000Z,,3\r\n',
  );
});

test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])(
  "no spreadsheet reads %j as a formula",
  (title) => {
    const [head = ""] = csvOf([], [series(title, [])]).split("\r\n", 1);
    expect(head.replace(/^time,"?/, "")).toMatch(/^'/);
  },
);

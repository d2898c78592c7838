// The two text formats, against the examples of their specifications (Prometheus' "Exposition formats", OpenMetrics 1.0).

import { describe, expect, test } from "vitest";
import { type Family, render } from "../../src/control/metrics/text.ts";
import { parseExposition } from "../support/exposition.ts";
import fc from "../support/fc.ts";

const FAMILIES: Family[] = [
  {
    name: "http_requests_total",
    help: "The total number of HTTP requests.",
    type: "counter",
    samples: [
      { value: 1027, labels: { method: "post", code: "200" } },
      { value: 3, labels: { method: "post", code: "400" } },
    ],
  },
  {
    name: "msdos_file_access_time_seconds",
    help: 'When "FILE" was accessed,\nin C:\\',
    type: "gauge",
    samples: [
      {
        value: 1458255915,
        labels: { path: "C:\\DIR\\FILE.TXT", error: 'Cannot find file:\n"FILE.TXT"' },
      },
    ],
  },
  { name: "metric_without_labels", help: "One.", type: "gauge", samples: [{ value: 12.47 }] },
  {
    name: "something_weird",
    help: "Values that are no numbers.",
    type: "gauge",
    samples: [
      { value: Number.POSITIVE_INFINITY, labels: { problem: "division by zero" } },
      { value: Number.NEGATIVE_INFINITY, labels: { problem: "the other way" } },
      { value: Number.NaN, labels: { problem: "none" } },
    ],
  },
  { name: "nothing_yet_total", help: "Nothing.", type: "counter", samples: [] },
  {
    name: "http_request_duration_seconds",
    help: "A histogram of the request duration.",
    type: "histogram",
    histogram: { bounds: [0.05, 0.1, 1], counts: [24054, 9390, 100533, 10], sum: 53423 },
  },
];

const PROMETHEUS = String.raw`# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027
http_requests_total{method="post",code="400"} 3
# HELP msdos_file_access_time_seconds When "FILE" was accessed,\nin C:\\
# TYPE msdos_file_access_time_seconds gauge
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1458255915
# HELP metric_without_labels One.
# TYPE metric_without_labels gauge
metric_without_labels 12.47
# HELP something_weird Values that are no numbers.
# TYPE something_weird gauge
something_weird{problem="division by zero"} +Inf
something_weird{problem="the other way"} -Inf
something_weird{problem="none"} NaN
# HELP nothing_yet_total Nothing.
# TYPE nothing_yet_total counter
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="0.1"} 33444
http_request_duration_seconds_bucket{le="1"} 133977
http_request_duration_seconds_bucket{le="+Inf"} 133987
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 133987
`;

test("the Prometheus format follows its specification", () => {
  expect(render(FAMILIES, "prometheus")).toBe(PROMETHEUS);
  expect([...parseExposition(PROMETHEUS).keys()]).toEqual(FAMILIES.map(({ name }) => name));
});

test("OpenMetrics has families of counters without their suffix, escaped quotes in help, and an end marker", () => {
  const expected = PROMETHEUS.replace(/^# (HELP|TYPE) (\w+)_total /gm, "# $1 $2 ")
    .replace('When "FILE" was', String.raw`When \"FILE\" was`)
    .concat("# EOF\n");
  expect(render(FAMILIES, "openmetrics")).toBe(expected);
});

describe("for any values", () => {
  test("a parser gets back what was written", () => {
    const labels = fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), fc.string({ unit: "binary" }), {
      maxKeys: 4,
      noNullPrototype: true,
    });
    const sample = fc.record({ value: fc.double(), labels });
    fc.assert(
      fc.property(fc.uniqueArray(sample, { selector: ({ labels: all }) => keyOf(all) }), (samples) => {
        const text = render([{ name: "any", help: "Any.", type: "gauge", samples }], "prometheus");
        const read = parseExposition(text).get("any")?.series ?? [];
        expect(read.map((one) => one.labels)).toEqual(samples.map((one) => one.labels));
        for (const [index, { value }] of samples.entries())
          if (Number.isFinite(value)) expect(read[index]?.value === value).toBe(true);
      }),
    );
  });
});

const keyOf = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort());

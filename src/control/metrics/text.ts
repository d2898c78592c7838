// Metrics as text, in the two formats that Prometheus reads: its own (version 0.0.4) and OpenMetrics (1.0). A client
// library would bring its own registries and counters, but everything here is already counted where it happens.

import type { Counted, Sample } from "../../contract/metric.ts";

export const FORMATS = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;
export type Format = keyof typeof FORMATS;

export type Family = { name: string; help: string } & (
  | { type: "counter" | "gauge"; samples: readonly Sample[] }
  | { type: "histogram"; histogram: Counted }
);

/** Each family with its help and type, even without samples. The name of a counter ends with `_total`. */
export function render(families: readonly Family[], format: Format): string {
  const lines = families.flatMap((family) => linesOf(family, format));
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function linesOf(family: Family, format: Format): string[] {
  // In OpenMetrics, `_total` is the suffix of the sample, not of the family.
  const { name, type } = family;
  const named = format === "openmetrics" && type === "counter" ? name.replace(/_total$/, "") : name;
  const head = [`# HELP ${named} ${helpText(family.help, format)}`, `# TYPE ${named} ${type}`];
  if (family.type === "histogram") return [...head, ...bucketLines(name, family.histogram)];
  return [...head, ...family.samples.map(({ value, labels }) => sampleLine(name, value, labels))];
}

/** Buckets are cumulative: each includes all smaller ones. */
function bucketLines(name: string, { bounds, counts, sum }: Counted): string[] {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    const bound = bounds[index];
    return sampleLine(`${name}_bucket`, total, { le: bound === undefined ? "+Inf" : numberText(bound) });
  });
  return [...buckets, sampleLine(`${name}_sum`, sum), sampleLine(`${name}_count`, total)];
}

function sampleLine(name: string, value: number, labels: Readonly<Record<string, string>> = {}): string {
  const inner = Object.entries(labels).map(([label, text]) => `${label}="${labelText(text)}"`);
  return `${name}${inner.length > 0 ? `{${inner.join(",")}}` : ""} ${numberText(value)}`;
}

/** As Go's ParseFloat reads it. */
const numberText = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";

const labelText = (text: string): string => helpText(text, "openmetrics");

/** Both formats escape backslashes and line breaks; OpenMetrics, and label values, escape quotes as well. */
function helpText(text: string, format: Format): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return format === "openmetrics" ? escaped.replaceAll('"', '\\"') : escaped;
}

// docs/metrics.md: its tables are made of the declarations of the metrics, what stands before them is written by hand.

import { readFileSync } from "node:fs";
import type { Described, MetricOf } from "../src/contract/metric.ts";
import { SECTIONS } from "../src/control/metrics/sections.ts";
import { SERVICES } from "../src/services/list.ts";
import type { Base, ServiceCode } from "../src/services/module.ts";
import { table } from "./schema-table.ts";

const MARK = "<!-- What follows is generated (npm run docs) from src/control/metrics/ and the services. -->";

/** The whole page, as Markdown. */
export async function metricsPage(): Promise<string> {
  const page = readFileSync(new URL("./metrics.md", import.meta.url), "utf8");
  const [before = "", ...rest] = page.split(MARK);
  if (rest.length !== 1) throw new Error(`docs/metrics.md must have this line once: ${MARK}`);
  const ofServices = await serviceMetrics();
  const sections = SECTIONS.map(({ title, note, metrics, hasOwnOfServices }) =>
    [
      `## ${title}`,
      ...(note ? [note] : []),
      tableOf([...metrics, ...(hasOwnOfServices ? ofServices : [])]),
    ].join("\n\n"),
  );
  return `${[before.trimEnd(), MARK, ...sections].join("\n\n")}\n`;
}

/** Those of services that are not running: their declarations alone are read. */
async function serviceMetrics(): Promise<Described[]> {
  const nothing = {} as Base; // a service asks it for nothing before it is connected
  const all = await Promise.all(
    SERVICES.map(async (service): Promise<readonly MetricOf<number>[]> => {
      const code: ServiceCode = await service.load();
      return code.start(nothing).metrics;
    }),
  );
  return all.flat();
}

const tableOf = (metrics: readonly (Described & { type?: string })[]) =>
  table(
    ["metric", "type", "labels", "unit", "meaning"],
    metrics.map(({ name, type = "", labels, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(", ") || "none",
      unitOf(name, help),
      help,
    ]),
  );

/** The conventions of Prometheus: the name ends with its unit, before `_total`. */
function unitOf(name: string, help: string): string {
  if (/^(?:1 |Always 1)/.test(help)) return "0 or 1";
  if (/_(?:timestamp|start_time)_seconds$/.test(name)) return "seconds since 1970";
  const last =
    name
      .replace(/_total$/, "")
      .split("_")
      .at(-1) ?? "";
  return OTHER_UNITS[name] ?? last;
}

const OTHER_UNITS: Readonly<Record<string, string>> = {
  process_open_fds: "descriptors",
  nexusd_log_lines_dropped_total: "lines",
};

// Plots of the daemon's own measurements, each with its table and as CSV.

import { useMemo, useState } from "preact/hooks";
import type { HistoryView } from "../../../contract/api/history.ts";
import { csvOf } from "../lib/csv.ts";
import { download } from "../lib/download.ts";
import { clockTime } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import { history, historyProblem, RANGES, range } from "../stores/history.ts";
import { Heading } from "./heading.tsx";
import { Plot } from "./plot.tsx";

export function Plots() {
  const read = history.value;
  return (
    <section class="plots">
      <Heading>Plots</Heading>
      <fieldset class="ranges">
        <legend>The last</legend>
        {RANGES.map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="range"
              checked={range.value === one}
              onChange={() => {
                range.value = one;
              }}
            />{" "}
            {one}
          </label>
        ))}
      </fieldset>
      {historyProblem.value && <p class="problem">{historyProblem.value}</p>}
      {!read && !historyProblem.value && <p class="empty">Reading what was measured…</p>}
      {read?.series.length === 0 && (
        <p class="empty">Nothing was measured yet. nexusd measures once a minute.</p>
      )}
      {read && (
        <div class="figures">
          {grouped(read.series).map((group) => (
            <Figure key={group.title + group.unit} group={group} read={read} />
          ))}
        </div>
      )}
    </section>
  );
}

/** One line of a plot. */
export interface Line {
  name: string;
  title: string;
  values: readonly (number | null)[];
}

interface Group {
  title: string;
  /** The displayed unit. */
  unit: string;
  lines: Line[];
  /** As measured. */
  series: HistoryView["series"];
}

/** Units that are easier to read, and their size in the measured one. */
const SHOWN: Readonly<Record<string, readonly [unit: string, size: number]>> = {
  ms: ["s", 1000],
  bytes: ["KiB", 1024],
};

/** Series of one unit whose titles begin alike, such as "Writes: approved" and "Writes: failed", share a plot. */
function grouped(series: HistoryView["series"]): Group[] {
  const groups = new Map<string, Group>();
  for (const one of series) {
    const [title = "", rest] = one.title.split(/: (.*)/s);
    const key = `${title} ${one.unit}`;
    const [unit, size] = SHOWN[one.unit] ?? [one.unit, 1];
    const group: Group = groups.get(key) ?? { title, unit, lines: [], series: [] };
    group.series.push(one);
    const values = one.values.map((value) => (value === null ? null : value / size));
    group.lines.push({ name: one.name, title: rest ?? one.title, values });
    groups.set(key, group);
  }
  return [...groups.values()];
}

function Figure({ group, read }: { group: Group; read: HistoryView }) {
  const { title, unit, lines, series } = group;
  const [isOpen, setOpen] = useState(false);
  const seconds = useMemo(() => times(read), [read]);
  const stamps = () => seconds.map((at) => new Date(at * 1000).toISOString());
  return (
    <figure>
      <figcaption>
        {title}
        {unit && <span class="aside">{unit}</span>}
      </figcaption>
      <Plot title={title} unit={unit} times={seconds} lines={lines} />
      <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>Table</summary>
        {isOpen && <Table title={title} stamps={stamps()} lines={lines} />}
      </details>
      <button
        type="button"
        class="quiet"
        onClick={() => download(`nexusd-${fileName(title)}-${read.range}.csv`, csvOf(stamps(), series))}
      >
        CSV<span class="unseen"> of {title}</span>
      </button>
    </figure>
  );
}

const fileName = (title: string): string => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

const times = ({ from, stepSeconds, series }: HistoryView): number[] => {
  const start = Date.parse(from) / 1000;
  return Array.from({ length: series[0]?.values.length ?? 0 }, (_, at) => start + at * stepSeconds);
};

const Table = ({ title, stamps, lines }: { title: string; stamps: string[]; lines: Line[] }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must be able to as well
  <section class="wide tall" tabIndex={0} aria-label={`Table of ${title}`}>
    <table>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {lines.map(({ name, title }) => (
            <th key={name} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {stamps.map((stamp, at) => (
          <tr key={stamp}>
            <th scope="row">{clockTime(stamp, now.peek())}</th>
            {lines.map(({ name, values }) => (
              <td key={name}>{number(values[at] ?? null)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);

/** Short enough for a column; the CSV has all digits. */
export const number = (value: number | null): string =>
  value === null ? "–" : String(Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100);

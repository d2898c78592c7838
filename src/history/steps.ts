// The steps of each range, and how the figures of several steps are merged into one.

import type { HistoryRange, HistorySeries } from "../contract/api/history.ts";

interface Scale {
  stepMs: number;
  /** How many steps are shown. */
  shown: number;
  /** How many are stored, in a ring buffer. */
  kept: number;
}

/** Steps of one range align with those of the finer one, which are kept until they are merged. */
export const SCALES: Readonly<Record<HistoryRange, Scale>> = {
  hour: { stepMs: 60_000, shown: 60, kept: 90 },
  day: { stepMs: 600_000, shown: 144, kept: 168 },
  month: { stepMs: 14_400_000, shown: 180, kept: 186 },
};

interface Kind {
  title: string;
  unit: HistorySeries["unit"];
  /** How several steps become one. */
  summing: "sum" | "max" | "min" | "median";
}

/** What is measured, each for a label: a server, a sink's outcome, a state. */
const KINDS = {
  "budget.used": { title: "Requests used within a minute", unit: "requests", summing: "max" },
  "budget.left": { title: "Requests left within a minute", unit: "requests", summing: "min" },
  "delay.median": { title: "Median delay", unit: "ms", summing: "median" },
  "delay.max": { title: "Longest delay", unit: "ms", summing: "max" },
  wakes: { title: "Wakes", unit: "wakes", summing: "sum" },
  writes: { title: "Writes", unit: "writes", summing: "sum" },
  "log.events": { title: "Growth of the log", unit: "events", summing: "sum" },
  "log.bytes": { title: "Growth of the database", unit: "bytes", summing: "sum" },
} as const satisfies Record<string, Kind>;

/** One figure of one step. */
export interface Figure {
  kind: keyof typeof KINDS;
  /** The label: one of nexusd's words, or a name from the configuration: "messages", "heard", an origin. */
  of: string;
  value: number;
  /** For a median: the number of values behind it. */
  weight?: number;
}

/** What happened in one step, by "kind:of": the value, and its weight if it has one. */
export type Step = Readonly<Record<string, readonly number[]>>;

// Beyond what any machine needs, so that the stored size is bounded.
const MOST_FIGURES = 60;
const LONGEST_NAME = 80;

export const asStep = (figures: readonly Figure[]): Step =>
  Object.fromEntries(
    figures
      .slice(0, MOST_FIGURES)
      .map(({ kind, of, value, weight }) => [
        `${kind}:${of}`.slice(0, LONGEST_NAME),
        weight === undefined ? [value] : [value, weight],
      ]),
  );

/** Merges several steps into one. Figures that are no longer measured are dropped. */
export function addUp(steps: readonly Step[]): Step {
  const all = Map.groupBy(
    steps.flatMap((step) => Object.entries(step)),
    ([name]) => name,
  );
  const added = [...all].flatMap(([name, entries]) => {
    const kind = kindOf(name);
    return kind
      ? [
          [
            name,
            together(
              kind.summing,
              entries.map(([, figure]) => figure),
            ),
          ] as const,
        ]
      : [];
  });
  return Object.fromEntries(added.slice(0, MOST_FIGURES));
}

function together(summing: Kind["summing"], figures: readonly (readonly number[])[]): readonly number[] {
  const values = figures.map(([value = 0]) => value);
  switch (summing) {
    case "sum":
      return [values.reduce((sum, value) => sum + value, 0)];
    case "max":
      return [Math.max(...values)];
    case "min":
      return [Math.min(...values)];
    case "median":
      return medianOf(figures);
  }
}

/** The median of medians, each weighted by the number of its values. */
function medianOf(figures: readonly (readonly number[])[]): readonly number[] {
  const sorted = figures.toSorted(([a = 0], [b = 0]) => a - b);
  const weight = sorted.reduce((sum, [, one = 1]) => sum + one, 0);
  let before = 0;
  for (const [value = 0, one = 1] of sorted) {
    before += one;
    if (before * 2 >= weight) return [value, weight];
  }
  return [0, weight];
}

/** Undefined: measured by another version. */
function kindOf(name: string): Kind | undefined {
  const kind = name.split(":", 1)[0] ?? "";
  return Object.hasOwn(KINDS, kind) ? KINDS[kind as keyof typeof KINDS] : undefined; // one of its keys
}

/** The steps of a plot, missing ones as undefined, as one list of values per figure. */
export function seriesOf(window: readonly (Step | undefined)[]): HistorySeries[] {
  const names = new Set(window.flatMap((step) => Object.keys(step ?? {})));
  return [...names].toSorted().flatMap((name) => {
    const kind = kindOf(name);
    if (!kind) return [];
    const of = name.slice(name.indexOf(":") + 1);
    return {
      name,
      title: of === "" ? kind.title : `${kind.title}: ${of}`,
      unit: kind.unit,
      values: window.map((step) => step?.[name]?.[0] ?? null),
    };
  });
}

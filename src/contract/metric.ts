// The type of a metric. No label ever contains external text, a session id or an agent's name.

export type Labels = Record<string, string>;
export interface Sample {
  value: number;
  labels?: Labels;
}

export interface Described {
  name: string;
  help: string;
  labels: readonly string[];
}
/** A histogram in seconds, as Prometheus defines it. */
export interface Counted {
  /** Upper bounds, inclusive and ascending. */
  readonly bounds: readonly number[];
  /** How many values were within each bound and above the previous one; the last is above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A metric computed from what a scrape reads. A metric without samples is announced all the same. */
export type MetricOf<Snapshot> = Described &
  (
    | { type: "counter" | "gauge"; samples(snapshot: Snapshot): Sample[] }
    | { type: "histogram"; histogram(snapshot: Snapshot): Counted }
  );

/** A gauge with one sample and no label; null or undefined: unknown. */
export const single = <Snapshot>(
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number | null | undefined,
): MetricOf<Snapshot> => ({
  ...{ type, name, help, labels: [] },
  samples(snapshot) {
    const value = read(snapshot);
    return value === null || value === undefined ? [] : [{ value }];
  },
});

/** One sample per state, 1 for the current one. */
export const oneHot = (states: readonly string[], current: string, labels: Labels = {}): Sample[] =>
  states.map((state) => ({ value: state === current ? 1 : 0, labels: { ...labels, state } }));

/** The keys of a record over a union; the compiler checks that none is missing. */
export const keysOf = <K extends string>(all: Record<K, true>): readonly K[] =>
  // An object literal has the keys of its type.
  Object.keys(all) as K[];

/** RFC 3339 as seconds since 1970; undefined for null. */
export const seconds = (time: string | null): number | undefined =>
  time === null ? undefined : Date.parse(time) / 1000;

/** Seconds since a time; 0 if there is none or it is in the future. */
export const ageSeconds = (time: string | null, now: number): number =>
  time === null ? 0 : Math.max(0, now - Date.parse(time)) / 1000;

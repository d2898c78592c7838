// What a metric is. No label ever holds text from outside, a session id or an agent's name.

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
/** Seconds in buckets, as Prometheus has them. */
export interface Counted {
  /** Upper bounds, inclusive and ascending. */
  readonly bounds: readonly number[];
  /** How many were within each bound and above the one before it; the last is above all bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Of what is read for a scrape. A metric with no sample is announced all the same. */
export type MetricOf<Snapshot> = Described &
  (
    | { type: "counter" | "gauge"; samples(snapshot: Snapshot): Sample[] }
    | { type: "histogram"; histogram(snapshot: Snapshot): Counted }
  );

/** A gauge with one sample and no label; null or undefined: nothing is known. */
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

/** One sample for each state, 1 for that of now. */
export const oneHot = (states: readonly string[], current: string, labels: Labels = {}): Sample[] =>
  states.map((state) => ({ value: state === current ? 1 : 0, labels: { ...labels, state } }));

/** The keys of a record that must have every one of a union, so that a new one cannot be forgotten. */
export const keysOf = <K extends string>(all: Record<K, true>): readonly K[] =>
  // An object literal has the keys of its type.
  Object.keys(all) as K[];

/** RFC 3339 as seconds since 1970; nothing for none. */
export const seconds = (time: string | null): number | undefined =>
  time === null ? undefined : Date.parse(time) / 1000;

/** Seconds since a time, 0 where there is none or it is still to come. */
export const ageSeconds = (time: string | null, now: number): number =>
  time === null ? 0 : Math.max(0, now - Date.parse(time)) / 1000;

// The output of benchmarks: one JSON line on stdout, one line for a person on stderr.

export interface Figure {
  bench: string;
  case: string;
  figure: string;
  value: number;
  unit: string;
  /** The figure of the baseline, from the same run. */
  baseline?: number;
}

const rounded = (value: number) => Number(value.toPrecision(4));

export function print(figure: Figure): void {
  const { baseline, value } = figure;
  const ratio = baseline === undefined ? undefined : rounded(value / baseline);
  const line = {
    ...figure,
    value: rounded(value),
    ...(ratio === undefined ? {} : { baseline: rounded(baseline ?? 0), ratio }),
  };
  console.log(JSON.stringify(line));
  const compared = ratio === undefined ? "" : `   ${ratio} of ${line.baseline}`;
  console.error(`${figure.bench} ${figure.case}: ${figure.figure} ${line.value} ${figure.unit}${compared}`);
}

export const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

// A strict parser of Prometheus' text format: anything unknown is an error.

export interface Series {
  /** With the suffix of a histogram's part. */
  name: string;
  labels: Record<string, string>;
  value: number;
}
export interface Family {
  name: string;
  type: string;
  help: string;
  series: Series[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, "s");
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/;
const NUMBER = /^(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|[-+]?Inf|NaN)$/i;

/** The families by name, in order. @throws Error naming the faulty line */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let family: Family | undefined;
  let help: { name: string; text: string } | undefined;
  if (!text.endsWith("\n")) throw new Error("the last line has no line break");
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    if (line === "") continue;
    const helped = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line);
    if (helped) {
      help = { name: helped[1] ?? "", text: helped[2] ?? "" };
      continue;
    }
    const typed = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line);
    if (typed) {
      const [, name = "", type = ""] = typed;
      if (help?.name !== name) fail("a type without its help");
      if (families.has(name)) fail("a second family of this name");
      family = { name, type, help: help?.text ?? "", series: [] };
      families.set(name, family);
      continue;
    }
    const [, name = "", inner, number = ""] = SAMPLE.exec(line) ?? fail("neither comment nor sample");
    if (!family) return fail("a sample without a family");
    const part = name.slice(family.name.length);
    const isPart = family.type === "histogram" ? /^_(bucket|sum|count)$/.test(part) : part === "";
    if (!name.startsWith(family.name) || !isPart) fail(`a sample in the family ${family.name}`);
    if (!NUMBER.test(number)) fail("no number");
    const labels = parseLabels(inner ?? "", fail);
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) fail("a second sample of this series");
    seen.add(key);
    family.series.push({ name, labels, value: number === "+Inf" ? Infinity : Number(number) });
  }
  for (const one of families.values()) if (one.type === "histogram") checkHistogram(one);
  return families;
}

function parseLabels(text: string, fail: (why: string) => never): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ""; ) {
    const found = LABEL.exec(rest) ?? fail("labels that are none");
    const [whole = "", name = "", value = ""] = found;
    if (name in labels) fail("a label twice");
    labels[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function checkHistogram({ name, series }: Family): void {
  const buckets = series.filter((one) => one.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => (labels.le === "+Inf" ? Infinity : Number(labels.le)));
  const counts = buckets.map(({ value }) => value);
  const isAscending = (numbers: number[]) => numbers.every((n, i) => i === 0 || n >= (numbers[i - 1] ?? n));
  if (!isAscending(bounds) || !isAscending(counts) || bounds.at(-1) !== Infinity)
    throw new Error(`${name}: its buckets are out of order`);
  const total = series.find((one) => one.name === `${name}_count`)?.value;
  if (total !== counts.at(-1)) throw new Error(`${name}: its count is not that of its last bucket`);
}

/** The value of one series; undefined: it does not exist. */
export const sampleOf = (
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined =>
  [...families.values()]
    .flatMap(({ series }) => series)
    .find(
      (one) =>
        one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    )?.value;

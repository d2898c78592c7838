// One plot, drawn by uPlot. It is described in words as well; its table has all the data.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type Line, number } from "./plots.tsx";

interface Props {
  title: string;
  unit: string;
  /** In seconds since 1970. */
  times: number[];
  lines: readonly Line[];
}

const HEIGHT = 160;
/** Distinguishable without their colours, too. */
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3], [1, 4], [12, 4]];

export function Plot({ title, unit, times, lines }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(element, lines), [times, ...lines.map(({ values }) => [...values])], element);
    };
    draw();
    let width = element.clientWidth;
    const sizes = new ResizeObserver(() => {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      plot?.setSize({ width, height: HEIGHT });
    });
    sizes.observe(element);
    const looks = ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"].map((query) =>
      matchMedia(query),
    );
    for (const look of looks) look.addEventListener("change", draw);
    return () => {
      for (const look of looks) look.removeEventListener("change", draw);
      sizes.disconnect();
      plot?.destroy();
    };
  }, [times, lines]);
  return (
    <>
      <div ref={ref} class="plot" role="img" aria-label={`${title}: ${inWords(lines, unit)}`} />
      {lines.length > 1 && (
        <ul class="legend">
          {lines.map(({ name, title }, at) => (
            <li key={name} class={`line-${at % DASHES.length}`}>
              <svg viewBox="0 0 28 4" aria-hidden="true">
                <line x1="0" y1="2" x2="28" y2="2" stroke-dasharray={DASHES[at % DASHES.length]?.join(" ")} />
              </svg>
              {title}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** "approved last 3, at most 12; failed …" */
function inWords(lines: Props["lines"], unit: string): string {
  const said = lines.map(({ title, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${title}: nothing measured`;
    return `${title}: last ${number(known.at(-1) ?? null)} ${unit}, at most ${number(Math.max(...known))} ${unit}`;
  });
  return said.join("; ");
}

/** Points without a known neighbour: no line leads to them. */
function alone(plot: uPlot, index: number, _isShown: boolean): number[] {
  const values = plot.data[index] ?? [];
  const isKnown = (at: number) => values[at] !== undefined && values[at] !== null;
  return [...values.keys()].filter((at) => isKnown(at) && !isKnown(at - 1) && !isKnown(at + 1));
}

const DAY_S = 86_400;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** The time of day; the date if the labels are a day or more apart. */
function timeLabels(_plot: uPlot, seconds: number[]): string[] {
  const [first = 0, second = first] = seconds;
  const format = second - first >= DAY_S ? DAY : CLOCK;
  return seconds.map((at) => format.format(at * 1000));
}

function options(element: HTMLElement, lines: Props["lines"]): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim() || style.color;
  const axis: uPlot.Axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: `12px ${style.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 28, 0, 0],
    axes: [
      { ...axis, size: 28, values: timeLabels },
      { ...axis, size: 56, values: (_plot, values) => values.map((value) => number(value)) },
    ],
    scales: { y: { range: (_plot, min, max) => [Math.min(0, min ?? 0), Math.max(1, (max ?? 0) * 1.1)] } },
    series: [
      {},
      ...lines.map(
        (_one, at): uPlot.Series => ({
          stroke: colour(`--line-${at % DASHES.length}`),
          width: 1.75,
          dash: DASHES[at % DASHES.length] ?? [],
          points: { show: true, size: 4, filter: alone },
        }),
      ),
    ],
  };
}

// How much of an element has been on the screen: all of it, once the visible parts join without a gap.

/** Tolerance at an edge: positions on a zoomed screen are fractions of pixels. */
const SLACK = 2;
/** How long a part has to stay on the screen: what a jump to the end flies past does not count. */
const STAY_MS = 150;

export interface Coverage {
  /** From 0 to 1. */
  seen: number;
  /** Where the first unseen part begins, in pixels from the top of the element; -1: there is none. */
  firstUnseen: number;
}

type Part = readonly [from: number, to: number];

/**
 * Watches an element until all of it was on the screen. A change of its width starts over: its lines break differently.
 * @returns a function that stops watching
 */
export function watchCoverage(element: HTMLElement, onChange: (coverage: Coverage) => void): () => void {
  let parts: Part[] = [];
  let width = 0;
  let before: Part | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** The part that is on the screen; undefined: none. */
  const visible = (): Part | undefined => {
    const { top, bottom, height, width: now } = element.getBoundingClientRect();
    if (now !== width) [parts, before] = [[], undefined];
    width = now;
    // A background tab is not visible to the person.
    if (document.visibilityState !== "visible") return undefined;
    const [from, to] = [Math.max(0, -top), height - Math.max(0, bottom - innerHeight)];
    return to > from ? [from, to] : undefined;
  };
  /** Counts what was on the screen before and still is, and looks again until nothing moves. */
  const look = () => {
    timer = undefined;
    const last = before;
    const now = visible();
    // A change of the width has made `before` void.
    const stayed = before && last && now ? overlap(last, now) : undefined;
    before = now;
    if (stayed) parts = joined([...parts, stayed]);
    const { height } = element.getBoundingClientRect();
    if (height > 0) {
      const coverage = measure(parts, height);
      if (coverage.firstUnseen < 0) stop();
      onChange(coverage);
      if (coverage.firstUnseen < 0) return;
    }
    const isStill = stayed && last && last[0] === now?.[0] && last[1] === now[1];
    if (now && !isStill) timer = setTimeout(look, STAY_MS);
  };
  const soon = () => {
    if (timer !== undefined) return;
    before = visible();
    timer = setTimeout(look, STAY_MS);
  };
  // Whatever scrolls it into view: a key, a wheel, a layout change above it.
  const observer = new IntersectionObserver(soon, {
    threshold: Array.from({ length: 21 }, (_, i) => i / 20),
  });
  const sizes = new ResizeObserver(soon);
  const stop = () => {
    clearTimeout(timer);
    observer.disconnect();
    sizes.disconnect();
    removeEventListener("scroll", soon, true);
    document.removeEventListener("visibilitychange", soon);
  };
  observer.observe(element);
  sizes.observe(element);
  addEventListener("scroll", soon, { capture: true, passive: true });
  document.addEventListener("visibilitychange", soon);
  return stop;
}

function overlap([from, to]: Part, [otherFrom, otherTo]: Part): Part | undefined {
  const part = [Math.max(from, otherFrom), Math.min(to, otherTo)] as const;
  return part[1] > part[0] ? part : undefined;
}

function joined(parts: Part[]): Part[] {
  const whole: Part[] = [];
  for (const [from, to] of parts.sort(([a], [b]) => a - b)) {
    const last = whole.at(-1);
    if (last && from <= last[1] + SLACK) whole[whole.length - 1] = [last[0], Math.max(last[1], to)];
    else whole.push([from, to]);
  }
  return whole;
}

function measure(parts: Part[], height: number): Coverage {
  const seen = parts.reduce((sum, [from, to]) => sum + to - from, 0) / height;
  const [first] = parts;
  if (!first || first[0] > SLACK) return { seen, firstUnseen: 0 };
  return { seen, firstUnseen: first[1] >= height - SLACK ? -1 : first[1] };
}

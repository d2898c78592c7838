// How much of an element has been on the screen: all of it, once the visible parts join without a gap.

/** Tolerance at an edge: positions on a zoomed screen are fractions of pixels. */
const SLACK = 2;

export interface Coverage {
  /** From 0 to 1. */
  seen: number;
  /** Where the first unseen part begins, in pixels from the top of the element; -1: there is none. */
  firstUnseen: number;
}

/**
 * Watches an element until all of it was on the screen. A change of its width starts over: its lines break differently.
 * @returns a function that stops watching
 */
export function watchCoverage(element: HTMLElement, onChange: (coverage: Coverage) => void): () => void {
  let parts: (readonly [number, number])[] = [];
  let width = 0;
  let frame = 0;
  const look = () => {
    frame = 0;
    const { top, bottom, height, width: now } = element.getBoundingClientRect();
    if (now !== width) parts = [];
    width = now;
    // A background tab is not visible to the person.
    if (document.visibilityState !== "visible" || height === 0) return;
    const [from, to] = [Math.max(0, -top), height - Math.max(0, bottom - innerHeight)];
    if (to > from) parts = joined([...parts, [from, to]]);
    const coverage = measure(parts, height);
    if (coverage.firstUnseen < 0) stop();
    onChange(coverage);
  };
  const soon = () => {
    frame ||= requestAnimationFrame(look);
  };
  // Whatever scrolls it into view: a key, a wheel, a layout change above it.
  const observer = new IntersectionObserver(soon, {
    threshold: Array.from({ length: 21 }, (_, i) => i / 20),
  });
  const sizes = new ResizeObserver(soon);
  const stop = () => {
    cancelAnimationFrame(frame);
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

function joined(parts: (readonly [number, number])[]): (readonly [number, number])[] {
  const whole: (readonly [number, number])[] = [];
  for (const [from, to] of parts.sort(([a], [b]) => a - b)) {
    const last = whole.at(-1);
    if (last && from <= last[1] + SLACK) whole[whole.length - 1] = [last[0], Math.max(last[1], to)];
    else whole.push([from, to]);
  }
  return whole;
}

function measure(parts: (readonly [number, number])[], height: number): Coverage {
  const seen = parts.reduce((sum, [from, to]) => sum + to - from, 0) / height;
  const [first] = parts;
  if (!first || first[0] > SLACK) return { seen, firstUnseen: 0 };
  return { seen, firstUnseen: first[1] >= height - SLACK ? -1 : first[1] };
}

// A long list is drawn in parts: what fits on a screen at once, so that it can be used, and the rest after that.

import { useEffect, useState } from "preact/hooks";

const FIRST = 50;
const NEXT = 250;

/** How many of the items to render now. */
export function useParts(length: number): number {
  const [count, setCount] = useState(FIRST);
  useEffect(() => {
    if (count >= length) return;
    const timer = setTimeout(() => setCount(count + NEXT));
    return () => clearTimeout(timer);
  }, [count, length]);
  return count;
}

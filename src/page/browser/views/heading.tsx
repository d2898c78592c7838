// The heading of a view: where the focus goes when the view is opened.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

let isFirstView = true;

export function Heading({ children, level = 1 }: { children: ComponentChildren; level?: 1 | 2 }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // When the page itself is opened, the browser has the focus where it belongs.
    if (!isFirstView) ref.current?.focus();
    isFirstView = false;
  }, []);
  const Level = level === 1 ? "h1" : "h2";
  return (
    <Level ref={ref} tabIndex={-1}>
      {children}
    </Level>
  );
}

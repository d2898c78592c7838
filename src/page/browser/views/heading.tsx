// The heading of a view: where the focus goes when the view is opened.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

let isFirstView = true;

interface Props {
  children: ComponentChildren;
  /** Beside what is open: one of two headings, and not the one that matters. */
  isAside?: boolean;
}

export function Heading({ children, isAside = false }: Props) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // When the page itself is opened, the browser has the focus where it belongs.
    if (!isFirstView && !isAside) ref.current?.focus();
    isFirstView = false;
  }, [isAside]);
  const Level = isAside ? "h2" : "h1";
  return (
    <Level ref={ref} tabIndex={-1}>
      {children}
    </Level>
  );
}

// The heading of a view, which gets the focus when the view is opened.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

let isFirstView = true;

interface Props {
  children: ComponentChildren;
  /** Next to an open item: one of two headings, and the less important one. */
  isAside?: boolean;
}

export function Heading({ children, isAside = false }: Props) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    // When the page itself is opened, the browser has set the focus already.
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

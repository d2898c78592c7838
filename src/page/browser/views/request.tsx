// The full request, as the daemon renders it from the stored bytes, and whether all of it has been on the screen.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Coverage, watchCoverage } from "../lib/coverage.ts";

interface Props {
  /** Nothing in it is hidden: the daemon has spelled it out. */
  text: string;
  onSeen(isSeen: boolean): void;
}

export function Request({ text, onSeen }: Props) {
  const ref = useRef<HTMLPreElement>(null);
  const [{ seen, firstUnseen }, setCoverage] = useState<Coverage>({ seen: 0, firstUnseen: 0 });
  // Starts over if the text changes: what was seen of the old one does not count.
  useLayoutEffect(() => {
    onSeen(false);
    if (!ref.current) return;
    return watchCoverage(ref.current, (coverage) => {
      setCoverage(coverage);
      onSeen(coverage.firstUnseen < 0);
    });
  }, [text, onSeen]);
  const readOn = () => {
    const top = ref.current?.getBoundingClientRect().top ?? 0;
    scrollBy({ top: top + Math.max(0, firstUnseen) - ROOM_ABOVE });
  };
  return (
    <section>
      <h2>The request in full</h2>
      <pre ref={ref} class="request">
        <Lines text={text} />
      </pre>
      <p class="reading">
        {firstUnseen < 0 ? (
          "All of the request has been on the screen."
        ) : (
          <>
            {Math.floor(seen * 100)} % of the request has been on the screen.{" "}
            <button type="button" class="quiet" onClick={readOn}>
              Show what has not
            </button>
          </>
        )}
      </p>
    </section>
  );
}

const ROOM_ABOVE = 16;

/** Highlights warnings. External text begins no line of a preview, so it cannot fake one. */
export function Lines({ text }: { text: string }) {
  let isWarning = false;
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line, at) => {
      isWarning = line.startsWith("!! ") || (isWarning && /^ *[┊:] /.test(line));
      return isWarning ? (
        <strong key={at} class="line">
          {line}
        </strong>
      ) : (
        <span key={at} class="line">
          {line}
        </span>
      );
    });
}

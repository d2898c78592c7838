// The request in full, as the daemon renders it of the stored bytes; and whether all of it has been on the screen.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Coverage, watchCoverage } from "../lib/coverage.ts";

interface Props {
  /** Nothing in it is hidden: the daemon has written it out. */
  text: string;
  onSeen(isSeen: boolean): void;
}

export function Request({ text, onSeen }: Props) {
  const ref = useRef<HTMLPreElement>(null);
  const [{ seen, firstUnseen }, setCoverage] = useState<Coverage>({ seen: 0, firstUnseen: 0 });
  // Drawn anew where the text is another one: what was seen of the old one counts for nothing.
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
      <h3>The request in full</h3>
      <pre ref={ref} class="request">
        {parts(text).map(({ isWarning, lines }, at) =>
          isWarning ? <strong key={at}>{lines}</strong> : <span key={at}>{lines}</span>,
        )}
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

/** Warnings stand out. Text from outside begins no line of a preview, so that it can be none. */
function parts(text: string): { isWarning: boolean; lines: string }[] {
  const found: { isWarning: boolean; lines: string }[] = [];
  let isWarning = false;
  for (const line of text.split("\n")) {
    isWarning = line.startsWith("!! ") || (isWarning && /^ *[┊:] /.test(line));
    const last = found.at(-1);
    if (last?.isWarning === isWarning) last.lines += `${line}\n`;
    else found.push({ isWarning, lines: `${line}\n` });
  }
  return found;
}

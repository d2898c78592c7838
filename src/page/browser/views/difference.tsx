// How a write differs from the last approved one of its operation, line by line.

import type { WriteReviewView } from "../../../contract/api/writes.ts";
import { Said } from "../lib/text.tsx";
import { ago } from "../lib/time.ts";
import { now } from "../stores/clock.ts";

type Lines = NonNullable<WriteReviewView["previous"]>["lines"];

/** Unchanged lines further than this from a change are left out. */
const AROUND = 2;
const SIGNS = { same: " ", added: "+", removed: "−" } as const;
const WORDS = { same: "", added: "now: ", removed: "before: " } as const;

export function Difference({ previous }: { previous: WriteReviewView["previous"] }) {
  const isSame = previous?.lines.every(({ kind }) => kind === "same");
  return (
    <section>
      <h2>Difference to the last approved</h2>
      {!previous && <p class="aside">No write of this operation was approved before.</p>}
      {previous && (
        <>
          <p class="aside">
            {isSame ? "The same request was approved " : "The request that was approved "}
            {previous.decidedAt ? (
              <time dateTime={previous.decidedAt}>{ago(previous.decidedAt, now.value)}</time>
            ) : (
              "before"
            )}
            {isSame ? "." : ", and what is different in this one:"}
          </p>
          <ol class="difference">
            {shortened(previous.lines).map((line, at) =>
              typeof line === "number" ? (
                <li key={at} class="left-out">
                  {line} lines are the same
                </li>
              ) : (
                <li key={at} class={line.kind}>
                  <span class="sign" aria-hidden="true">
                    {SIGNS[line.kind]}
                  </span>
                  <span class="unseen">{WORDS[line.kind]}</span>
                  <Said text={line.text} />
                </li>
              ),
            )}
          </ol>
        </>
      )}
    </section>
  );
}

/** A number stands for that many omitted lines. */
function shortened(lines: Lines): (Lines[number] | number)[] {
  const changed = lines.flatMap(({ kind }, at) => (kind === "same" ? [] : [at]));
  const near = new Set(
    changed.flatMap((at) => Array.from({ length: 2 * AROUND + 1 }, (_, i) => at + i - AROUND)),
  );
  const kept: (Lines[number] | number)[] = [];
  lines.forEach((line, at) => {
    const last = kept.at(-1);
    if (near.has(at)) kept.push(line);
    else if (typeof last === "number") kept[kept.length - 1] = last + 1;
    else kept.push(1);
  });
  // A single line is no longer than the note about it.
  return kept.map((one, at) => (one === 1 ? (lines[positionOf(kept, at)] ?? one) : one));
}

const positionOf = (kept: readonly (Lines[number] | number)[], at: number): number =>
  kept.slice(0, at).reduce<number>((sum, one) => sum + (typeof one === "number" ? one : 1), 0);

// Earlier writes on the same target.

import type { WriteReviewView } from "../../../contract/api/writes.ts";
import { Said } from "../lib/text.tsx";
import { clockTime } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import { hrefOf } from "../stores/route.ts";

interface Props {
  target: WriteReviewView["about"]["target"];
  entries: WriteReviewView["history"];
  /** The write on the screen. */
  except: string;
}

export function TargetHistory({ target, entries, except }: Props) {
  const others = entries.filter(({ id }) => id !== except);
  const name = target && `${target.kind} ${target.label ?? target.id}`;
  return (
    <section>
      <h2>{name ? <Said text={`History of ${name}`} /> : "History of the target"}</h2>
      {others.length === 0 && <p class="aside">Nothing was asked of it before.</p>}
      {others.length > 0 && (
        <ul class="history">
          {others.map(({ id, operation, state, at, reason }) => (
            <li key={id}>
              <time dateTime={at}>{clockTime(at, now.value)}</time>{" "}
              <a href={hrefOf("inbox", id)}>
                {operation}: {state}
              </a>
              {reason && (
                <>
                  {", "}
                  <Said text={reason} />
                </>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

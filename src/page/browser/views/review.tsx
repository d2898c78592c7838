// One write: what it is about, who asked and why, how it differs from the last one, the full request, the decision.

import { useState } from "preact/hooks";
import { stepWords } from "../lib/steps.ts";
import { Said, SaidLines } from "../lib/text.tsx";
import { ago, clockTime } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import { isOwn, type Opened } from "../stores/review.ts";
import { hrefOf } from "../stores/route.ts";
import { Changes } from "./changes.tsx";
import { Decision } from "./decision.tsx";
import { Difference } from "./difference.tsx";
import { Heading } from "./heading.tsx";
import { Left } from "./proposal-list.tsx";
import { Request } from "./request.tsx";
import { TargetHistory } from "./target-history.tsx";

export function Review({ opened }: { opened: Opened }) {
  const { id, review, problem } = opened;
  const [isSeen, setSeen] = useState(false);
  return (
    <article class="review" aria-label="One proposal">
      <p class="back">
        <a href={hrefOf("inbox")}>Back to the inbox</a>
      </p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {!review && !problem && <p class="empty">Reading the write…</p>}
      {review && (
        <>
          <Heading>
            <Said text={review.about.text} />
          </Heading>
          <State opened={opened} />
          {review.write.destructive && <p class="careful">This deletes permanently: it cannot be undone.</p>}
          <Asked opened={opened} />
          <Changes changes={review.about.changes} />
          <Difference previous={review.previous} />
          <TargetHistory target={review.about.target} entries={review.history} except={id} />
          <Request key={review.write.digest} text={review.preview} onSeen={setSeen} />
          <Decision review={review} isSeen={isSeen} />
        </>
      )}
    </article>
  );
}

/** Its current state, and who caused it. */
function State({ opened: { id, review, step } }: { opened: Opened }) {
  if (!review) return null;
  const { write } = review;
  if (write.state === "proposed")
    return (
      <p class="state">
        Open: <Left until={write.expiresAt} />
        {write.signedBy.length > 0 && `; signed by ${write.signedBy.map(({ signer }) => signer).join(", ")}`}
      </p>
    );
  const { decidedBy, note, result, outcome } = write;
  const actor = decidedBy ?? step?.actor;
  const decided = decidedBy && {
    state: write.state === "rejected" ? "rejected" : "approved",
    ...{ note, error: null, actor: decidedBy },
  };
  const last = {
    state: write.state,
    note: outcome ?? null,
    error: result?.error ?? null,
    ...(actor && { actor }),
  };
  const isElsewhere = step !== undefined && !isOwn(id);
  return (
    <div class="state is-decided">
      {isElsewhere && <p>This write was decided elsewhere while you had it open.</p>}
      {decided && <SaidLine text={stepWords(decided)} />}
      {decided?.state !== write.state && <SaidLine text={stepWords(last)} />}
      {result?.remedy && <SaidLine text={result.remedy} />}
    </div>
  );
}

const SaidLine = ({ text }: { text: string }) => (
  <p>
    <Said text={text} />
  </p>
);

function Asked({ opened: { review } }: { opened: Opened }) {
  if (!review) return null;
  const { agent, reason, proposedAt, operation, target, id, expiresAt } = review.write;
  return (
    <dl class="facts">
      <dt>Asked by</dt>
      <dd>
        <Said text={agent ?? "an agent that gave no name"} />
        <span class="aside"> (the name that it gave itself)</span>
      </dd>
      <dt>Why</dt>
      <dd>{reason ? <SaidLines text={reason} /> : <span class="aside">It gave no reason.</span>}</dd>
      <dt>Proposed</dt>
      <dd>
        <time dateTime={proposedAt}>{clockTime(proposedAt, now.value)}</time>, {ago(proposedAt, now.value)}
      </dd>
      <dt>Open until</dt>
      <dd>
        <time dateTime={expiresAt}>{clockTime(expiresAt, now.value)}</time>
      </dd>
      <dt>Operation</dt>
      <dd>
        <code>{operation}</code>
      </dd>
      <dt>Target</dt>
      <dd>
        <code>
          <Said text={target} />
        </code>
      </dd>
      <dt>Write</dt>
      <dd>
        <code>{id}</code>
      </dd>
    </dl>
  );
}

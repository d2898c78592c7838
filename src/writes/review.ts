// What a person wants to know of a write beside its request: what it is about, how it differs from the last one, and
// what else was done to the same thing.

import type { WriteReviewView } from "../contract/api/writes.ts";
import type { WriteStore } from "../contract/write-store.ts";
import type { PreviewRequest, Write, WriteState } from "../contract/writes.ts";
import { parseJson } from "../core/exact-json.ts";
import { exact, exactJson, layOutJson } from "../core/text/exact.ts";
import { aboutWrite } from "./about.ts";
import type { OperationCatalogue } from "./input.ts";
import type { WritesOptions } from "./proposals.ts";

const HISTORY = 10;
/** Looked through for the one that was approved last: they are in the order of their proposals. */
const APPROVED_LOOKED_AT = 20;
const APPROVED: WriteState[] = ["approved", "executing", "succeeded", "failed", "unknown", "resolved"];
/** Of each request; and so many lines may differ before they are shown as wholly different. */
const MOST_LINES = 5000;
const MOST_DIFFERENT = 500;

interface ReviewOptions extends Pick<WritesOptions, "localView"> {
  store: Pick<WriteStore, "readWrite" | "readWriteSummaries">;
  catalogue: OperationCatalogue;
}

type Review = Omit<WriteReviewView, "write" | "preview">;

export const createReview =
  ({ store, catalogue, localView }: ReviewOptions) =>
  async (write: Write): Promise<Review> => {
    const stored =
      write.bodyRemovedAt === null ? (parseJson(write.request) as { input: unknown }).input : undefined; // as stored
    const [view, others, approved] = await Promise.all([
      localView?.(write.service, stored),
      store.readWriteSummaries({ target: write.target, limit: HISTORY + 1 }),
      store.readWriteSummaries({
        ...{ operation: write.operation, states: APPROVED, limit: APPROVED_LOOKED_AT },
      }),
    ]);
    const last = approved
      .filter(({ id, bodyRemovedAt }) => id !== write.id && bodyRemovedAt === null)
      .toSorted((a, b) => ((a.decidedAt ?? "") < (b.decidedAt ?? "") ? 1 : -1))[0];
    return {
      about: aboutWrite(
        {
          operation: write.operation,
          input: stored,
          before: write.precondition === null ? null : parseJson(write.precondition),
        },
        { view, subject: catalogue.get(write.operation)?.subject },
      ),
      previous: await comparedWith(last && (await store.readWrite(last.id)), write),
      history: others
        .filter(({ id }) => id !== write.id)
        .slice(0, HISTORY)
        .map(({ id, operation, state, finishedAt, executingAt, decidedAt, proposedAt, reason }) => ({
          ...{ id, operation, state, reason },
          at: finishedAt ?? executingAt ?? decidedAt ?? proposedAt,
        })),
    };
  };

async function comparedWith(before: Write | undefined, now: Write): Promise<Review["previous"]> {
  if (!before || before.bodyRemovedAt !== null || now.bodyRemovedAt !== null) return null;
  const { diffArrays } = await import("diff");
  const [old, fresh] = [linesOf(before.preview), linesOf(now.preview)];
  const parts = diffArrays(old, fresh, { maxEditLength: MOST_DIFFERENT }) ?? [
    { removed: true, added: false, value: old },
    { removed: false, added: true, value: fresh },
  ];
  const lines = parts.flatMap(({ added, removed, value }) => {
    const kind = added ? ("added" as const) : removed ? ("removed" as const) : ("same" as const);
    return value.map((text) => ({ kind, text }));
  });
  return { id: before.id, decidedAt: before.decidedAt, lines };
}

/** The request as it is sent, in lines that a person can compare, with nothing in them that cannot be seen. */
function linesOf({ method, url, headers, body }: PreviewRequest): string[] {
  const head = [`${method} ${url}`, ...headers.map(({ name, value }) => `${name}: ${value}`)].map(exact);
  if (body === null) return head;
  const { lines, left } = layOutJson(body, MOST_LINES) ?? { lines: [body], left: 0 };
  const rest = left > 0 ? [`… ${left} more lines are not compared`] : [];
  return [...head, "", ...lines.map(exactJson), ...rest];
}

// Writes insights into the log, each with the cursor that says up to when nothing is missing.

import { z } from "zod";
import type { EventData, NewEvent } from "../../contract/new-event.ts";
import type { Store } from "../../contract/store.ts";
import { isoTime } from "../../core/clock.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { sizeText } from "../../core/size.ts";
import { createdAt, type InsightBatch, insightDedupe } from "./insights.ts";

const CURSOR = "nex.insights";

/** A window that is being fetched; Nex may remove its start before the end is reached. Times as below. */
export interface Unproven {
  from: number;
  /** When the oldest fetched insight of it was created. */
  oldestAt: number | undefined;
}

/** An unfinished catch-up. Times as below. */
export interface Pass {
  /** What Nex stored late before this was in transit may still be missing from what was fetched. */
  startedAt: number;
  /** Insights created before this are fetched, as far as Nex had them then; also within the covered time. */
  fetchedUntil: number;
  /** It checks once more for insights that were stored late, after an interrupted one. */
  isSecond: boolean;
}

/** All times by Nex's clock, milliseconds since the Unix epoch. */
export interface InsightLog {
  /** Everything emitted before is in the log, or in a reported gap. */
  readonly coveredUntil: number;
  /**
   * When the first start began: nothing before it counts as missing. Undefined: from an earlier version, which did not
   * store it.
   */
  readonly begunAt: number | undefined;
  /** When the newest insight of the covered time was created; undefined: none says. */
  readonly newestAt: number | undefined;
  /** Stored with the cursor from the next commit on. While there is one, `newestAt` stays what it was before. */
  unproven: Unproven | undefined;
  /** Stored with the cursor from the next commit on. */
  pass: Pass | undefined;
  /** Commits events, and with them the cursor if they complete the time until `until`. @throws StoreError */
  commit(events: NewEvent[], until?: number): Promise<void>;
  /** The insights of a batch as events. */
  events(batch: InsightBatch, origin: EventData["nex.insight.received"]["origin"]): NewEvent[];
}

/**
 * @param now by Nex's clock: where a first start begins, before which nothing counts as missing
 * @param mostBytes of one insight with the workspace of its batch; a larger one is reported as a gap
 */
export async function openInsightLog(
  store: Pick<Store, "readCursor" | "commitObservation">,
  now: () => number,
  onCovered: (until: number) => void,
  mostBytes: number,
): Promise<{ insights: InsightLog; isFirst: boolean }> {
  // An unreadable cursor counts as a first start.
  const stored = storedCursor.safeParse((await store.readCursor(CURSOR))?.value).data;
  let coveredUntil = stored?.coveredUntil ?? now();
  const begunAt = stored ? stored.begunAt : coveredUntil;
  let newestAt = stored?.newestAt;
  /** When an insight was created that is in the log, but after the covered time. */
  let aheadAt: number | undefined;

  const insights: InsightLog = {
    get coveredUntil() {
      return coveredUntil;
    },
    begunAt,
    get newestAt() {
      return newestAt;
    },
    unproven: stored?.unproven && { oldestAt: undefined, ...stored.unproven },
    pass: stored?.pass,
    async commit(events, until) {
      const made = [aheadAt, newestAt, ...events.map(madeAt)].filter((at) => at !== undefined);
      // Before any await, so that of two commits in progress the later one has the later cursor.
      if (until !== undefined) coveredUntil = Math.max(coveredUntil, until);
      if (until !== undefined && !insights.unproven) newestAt = latest(made.filter((at) => at <= until));
      aheadAt = latest(made);
      await store.commitObservation({
        source: CURSOR,
        cursor: asStored({
          coveredUntil,
          begunAt,
          newestAt,
          unproven: insights.unproven,
          pass: insights.pass,
        }),
        events,
      });
      onCovered(coveredUntil);
    },
    events: (batch, origin) =>
      batch.insights.map((insight) => {
        const size = sizeIn(batch, insight, mostBytes);
        if (size > mostBytes) return tooLargeGap(insight, { size, mostBytes, now });
        return {
          type: "nex.insight.received",
          source: "/nex/insights",
          data: { insight, workspace: batch.workspace, origin },
          dedupe: insightDedupe(insight),
        };
      }),
  };
  if (!stored) await insights.commit([], coveredUntil);
  else onCovered(coveredUntil);
  return { insights, isFirst: !stored };
}

const MOST_BYTES_A_UNIT = 3;

/**
 * In bytes as it would be stored; 0 if the whole batch is small enough, so that it need not be serialized to measure
 * it.
 */
function sizeIn({ size, workspace }: InsightBatch, insight: unknown, mostBytes: number): number {
  if (size !== undefined && size * MOST_BYTES_A_UNIT <= mostBytes) return 0;
  return Buffer.byteLength(stringifyJson({ insight, workspace }));
}

/** In place of an insight that is not stored, however it was delivered. */
function tooLargeGap(
  insight: Record<string, unknown>,
  { size, mostBytes, now }: { size: number; mostBytes: number; now: () => number },
): NewEvent {
  const from = createdAt(insight) ?? now();
  return {
    type: "nex.stream.gap",
    source: "/nex/stream",
    data: {
      from: isoTime(from),
      to: isoTime(from + 1),
      reason: `an insight of ${Math.ceil(size / 1024)} KiB, more than limits.insight_bytes allows (${sizeText(mostBytes)}): it is not stored; read it at Nex`,
    },
    dedupe: { ...insightDedupe(insight), scope: "nex.gaps" },
  };
}

const latest = (times: number[]) => (times.length === 0 ? undefined : Math.max(...times));

const madeAt = (event: NewEvent): number | undefined =>
  event.type === "nex.insight.received" ? createdAt(event.data.insight) : undefined;

const time = z.iso.datetime().transform((text) => Date.parse(text));
const storedCursor = z.object({
  coveredUntil: time,
  begunAt: time.optional(),
  newestAt: time.optional(),
  pass: z.object({ startedAt: time, fetchedUntil: time, isSecond: z.boolean() }).optional(),
  unproven: z.object({ from: time, oldestAt: time.optional() }).optional(),
});

const asStored = ({
  coveredUntil,
  begunAt,
  newestAt,
  unproven,
  pass,
}: {
  coveredUntil: number;
  begunAt: number | undefined;
  pass: Pass | undefined;
  newestAt: number | undefined;
  unproven: Unproven | undefined;
}) => ({
  coveredUntil: isoTime(coveredUntil),
  ...(begunAt !== undefined && { begunAt: isoTime(begunAt) }),
  ...(pass && {
    pass: { ...pass, startedAt: isoTime(pass.startedAt), fetchedUntil: isoTime(pass.fetchedUntil) },
  }),
  ...(newestAt !== undefined && { newestAt: isoTime(newestAt) }),
  ...(unproven && {
    unproven: {
      from: isoTime(unproven.from),
      ...(unproven.oldestAt !== undefined && { oldestAt: isoTime(unproven.oldestAt) }),
    },
  }),
});

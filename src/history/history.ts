// The figures of the last hour, day and month: one small commit a minute, in a fixed number of records.

import { z } from "zod";
import type { HistoryRange, HistoryView } from "../contract/api/history.ts";
import { type Store, StoreError } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import { isObject } from "../core/is-object.ts";
import { addUp, asStep, type Figure, SCALES, type Step, seriesOf } from "./steps.ts";

export interface History {
  /** Resolves at the stop, once everything measured so far is stored. */
  run(signal: AbortSignal): Promise<void>;
  /** @throws StoreError */
  read(range: HistoryRange): Promise<HistoryView>;
}

interface HistoryOptions {
  store: Pick<Store, "commitObservation" | "readRecord" | "readRecords" | "fleet" | "shared">;
  clock: Pick<Clock, "now" | "sleep">;
  /** What has happened since the previous call. @throws StoreError */
  measure(): Promise<Figure[]>;
}

// Checked by hand: thousands of numbers are read at once.
const isStep = (value: unknown): boolean =>
  isObject(value) &&
  Object.values(value).every((figure) => Array.isArray(figure) && figure.every(Number.isFinite));
const storedStep = z.object({ at: z.int(), figures: z.custom<Step>(isStep) });

interface Kept {
  /** The number of the step since 1970. */
  at: number;
  figures: Step;
}

const MINUTE = SCALES.hour.stepMs;
/** The records of a range form a ring buffer: old ones are overwritten, whatever the clock does. */
const keyOf = (range: HistoryRange, at: number) => String(at % SCALES[range].kept).padStart(3, "0");
const stepAt = (range: HistoryRange, ms: number) => Math.floor(ms / SCALES[range].stepMs);

export function createHistory({ store, clock, measure }: HistoryOptions): History {
  // In a fleet, each node has a history of its own.
  const suffix = store.shared ? `@${store.fleet.node}` : "";
  const kindOf = (range: HistoryRange) => `history.${range}${suffix}`;
  /** Undefined: the slot is empty, has another step, or one that this version cannot read. */
  const keptAt = async (range: HistoryRange, at: number): Promise<Kept | undefined> => {
    const record = await store.readRecord(kindOf(range), keyOf(range, at));
    const { success, data } = storedStep.safeParse(record?.value);
    return success && data.at === at ? data : undefined;
  };
  const keptOf = async (range: HistoryRange): Promise<Kept[]> => {
    const records = await store.readRecords(kindOf(range));
    return records
      .flatMap(({ value }) => storedStep.safeParse(value).data ?? [])
      .toSorted((a, b) => a.at - b.at);
  };

  /** The newest stored minute; undefined before the first. */
  let last: number | undefined;

  /** Stores the measurements of the minute that has just passed, and the longer steps that it completed. */
  const keep = async (figures: readonly Figure[], minute: number): Promise<void> => {
    const before = await keptAt("hour", minute);
    const now = { at: minute, figures: addUp([before?.figures ?? {}, asStep(figures)]) };
    const put = [{ kind: kindOf("hour"), key: keyOf("hour", minute), value: now }];
    const isNew = (range: "day" | "month") =>
      last === undefined || stepOfMinute(range, minute) !== stepOfMinute(range, last);
    if (isNew("day")) {
      const days = await keptOf("day");
      const made = missingIn(await keptOf("hour"), days, "day", stepOfMinute("day", minute));
      put.push(...made.map((value) => ({ kind: kindOf("day"), key: keyOf("day", value.at), value })));
      if (isNew("month")) {
        const months = await keptOf("month");
        const more = missingIn([...days, ...made], months, "month", stepOfMinute("month", minute));
        put.push(...more.map((value) => ({ kind: kindOf("month"), key: keyOf("month", value.at), value })));
      }
    }
    await store.commitObservation({ source: "history", put, canWait: true });
    last = minute;
  };

  const tick = async (minute: number): Promise<void> => {
    try {
      await keep(await measure(), minute);
    } catch (error) {
      // This leaves a gap in the plot; the store's failure is reported elsewhere.
      if (!(error instanceof StoreError)) throw error;
    }
  };

  return {
    async run(signal) {
      try {
        for (;;) {
          await clock.sleep(MINUTE - (clock.now() % MINUTE), signal);
          await tick(stepAt("hour", clock.now() - MINUTE / 2));
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      await tick(stepAt("hour", clock.now()));
    },
    async read(range) {
      const { stepMs, shown } = SCALES[range];
      const now = clock.now();
      const minutes = await keptOf("hour");
      let steps = minutes;
      if (range !== "hour") {
        const days = await keptOf("day");
        steps = [...days, ...missingIn(minutes, days, "day")];
      }
      if (range === "month") {
        const months = await keptOf("month");
        steps = [...months, ...missingIn(steps, months, "month")];
      }
      // The current minute has not been measured; a longer step is partly there.
      const end = stepAt(range, now) + (range === "hour" ? 0 : 1);
      const byPlace = new Map(steps.map(({ at, figures }) => [at, figures]));
      const newest = minutes.findLast(({ at }) => at <= stepAt("hour", now));
      return {
        range,
        from: isoTime((end - shown) * stepMs),
        to: isoTime(end * stepMs),
        stepSeconds: stepMs / 1000,
        asOf: newest ? isoTime(Math.min(now, (newest.at + 1) * MINUTE)) : null,
        series: seriesOf(Array.from({ length: shown }, (_, index) => byPlace.get(end - shown + index))),
      };
    },
  };
}

const stepOfMinute = (range: "day" | "month", minute: number) => stepAt(range, minute * MINUTE);

/** The steps before `until` that finer steps have data for, and that are not stored yet. */
function missingIn(
  finer: readonly Kept[],
  kept: readonly Kept[],
  range: "day" | "month",
  until = Number.POSITIVE_INFINITY,
): Kept[] {
  const known = new Set(kept.map(({ at }) => at));
  const { stepMs } = SCALES[range === "day" ? "hour" : "day"];
  const groups = Map.groupBy(finer, ({ at }) => stepAt(range, at * stepMs));
  return [...groups]
    .filter(([at]) => at < until && !known.has(at))
    .map(([at, steps]) => ({ at, figures: addUp(steps.map(({ figures }) => figures)) }));
}

// The figures of the last hour, day and month: one small commit a minute, in records whose number never grows.

import { z } from "zod";
import type { HistoryRange, HistoryView } from "../contract/api/history.ts";
import { type Store, StoreError } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";
import { isObject } from "../core/is-object.ts";
import { addUp, asStep, type Figure, SCALES, type Step, seriesOf } from "./steps.ts";

export interface History {
  /** Resolves at the stop, when what was measured until then is kept. */
  run(signal: AbortSignal): Promise<void>;
  /** @throws StoreError */
  read(range: HistoryRange): Promise<HistoryView>;
}

interface HistoryOptions {
  store: Pick<Store, "commitObservation" | "readRecord" | "readRecords">;
  clock: Pick<Clock, "now" | "sleep">;
  /** What has happened since it was asked last. @throws StoreError */
  measure(): Promise<Figure[]>;
}

// By hand: thousands of numbers are read at once.
const isStep = (value: unknown): boolean =>
  isObject(value) &&
  Object.values(value).every((figure) => Array.isArray(figure) && figure.every(Number.isFinite));
const storedStep = z.object({ at: z.int(), figures: z.custom<Step>(isStep) });

interface Kept {
  /** Which step since 1970 it is. */
  at: number;
  figures: Step;
}

const MINUTE = SCALES.hour.stepMs;
const kindOf = (range: HistoryRange) => `history.${range}`;
/** The places of a range are used again and again: what has become too old is written over, whatever the clock does. */
const keyOf = (range: HistoryRange, at: number) => String(at % SCALES[range].kept).padStart(3, "0");
const stepAt = (range: HistoryRange, ms: number) => Math.floor(ms / SCALES[range].stepMs);

export function createHistory({ store, clock, measure }: HistoryOptions): History {
  /** Undefined: its place is empty, or has another step, or none that this version can read. */
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

  /** The newest minute that was written; none before the first. */
  let last: number | undefined;

  /** Keeps what was measured as the minute that has just passed, and what became whole with it. */
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
      // A gap in a plot: that the database takes no commits is told elsewhere.
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
      // The minute that is not over has not been measured; of a longer step there is a part.
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

/** The steps before `until` that the finer ones have something of, and that are not kept yet. */
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

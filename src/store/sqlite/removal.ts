// Removes events from the log and from the search index, in small transactions, so that commits and readers get their
// turn in between.

import { REPEATS_KEPT_MS, type Store } from "../../contract/store.ts";
import type { Clock } from "../../core/clock.ts";
import { DEDUPE_PARTS } from "../prepared.ts";
import type { WriteUnit } from "../units.ts";
import type { EventLog } from "./events.ts";
import type { Shrinking } from "./open.ts";
import { FORGET_CHUNK, type SearchMemory } from "./search-memory.ts";

export const createRemoval = ({
  log,
  searchable,
  write,
  shrinking,
  clock,
}: {
  log: EventLog;
  searchable: Pick<SearchMemory, "forget">;
  write: WriteUnit;
  shrinking: Shrinking;
  clock: Pick<Clock, "now" | "monotonic">;
}): Pick<Store, "pruneEvents" | "forgetSearchable"> => ({
  async pruneEvents(limits) {
    let removed = 0;
    shrinking.begin();
    try {
      const events = createSteps(clock);
      for (let more = true; more; ) {
        const chunk = await write(
          () => events.take((most) => log.prune(limits, most, clock.now())),
          ({ oldest }) => log.pruned(oldest),
        );
        removed += chunk.removed;
        more = chunk.more;
      }
      const { repeatsBefore } = limits;
      const before = repeatsBefore === undefined ? clock.now() - REPEATS_KEPT_MS : Date.parse(repeatsBefore);
      for (let part = 0; part < DEDUPE_PARTS; part++) await write(() => log.pruneKeys(part, before));
      const pages = createSteps(clock);
      while (shrinking.free() > 0) await write(() => pages.take(shrinking.reclaim));
    } finally {
      shrinking.end();
    }
    return { removed };
  },

  async forgetSearchable(before) {
    let removed = 0;
    for (let chunk = FORGET_CHUNK; chunk === FORGET_CHUNK; removed += chunk)
      chunk = await write(() => searchable.forget(before));
    return { removed };
  },
});

/** How long one step may hold the event loop up, the commit aside. */
const STEP_MS = 2;
const FEWEST = 16;
const MOST = 1000;

/** The size of each step from the time that the one before took: a thousand events at once took up to 70 ms. */
function createSteps(clock: Pick<Clock, "monotonic">) {
  let size = 64;
  return {
    take<T>(work: (size: number) => T): T {
      const startedAt = clock.monotonic();
      const result = work(size);
      const tookMs = Math.max(0.1, clock.monotonic() - startedAt);
      size = Math.round(Math.min(MOST, 2 * size, Math.max(FEWEST, (size * STEP_MS) / tookMs)));
      return result;
    },
  };
}

// Removes events from the log and from the search index, in small transactions, so that commits and readers get their
// turn in between.

import { REPEATS_KEPT_MS, type Store } from "../../contract/store.ts";
import type { Clock } from "../../core/clock.ts";
import { DEDUPE_PARTS } from "../prepared.ts";
import type { WriteUnit } from "../units.ts";
import type { EventLog } from "./events.ts";
import { FORGET_CHUNK, type SearchMemory } from "./search-memory.ts";

export const createRemoval = ({
  log,
  searchable,
  write,
  clock,
}: {
  log: EventLog;
  searchable: Pick<SearchMemory, "forget">;
  write: WriteUnit;
  clock: Pick<Clock, "now">;
}): Pick<Store, "pruneEvents" | "forgetSearchable"> => ({
  async pruneEvents(limits) {
    let removed = 0;
    for (let more = true; more; ) {
      const chunk = await write(
        () => log.prune(limits, clock.now()),
        ({ oldest }) => log.pruned(oldest),
      );
      removed += chunk.removed;
      more = chunk.more;
    }
    const { repeatsBefore } = limits;
    const before = repeatsBefore === undefined ? clock.now() - REPEATS_KEPT_MS : Date.parse(repeatsBefore);
    for (let part = 0; part < DEDUPE_PARTS; part++) await write(() => log.pruneKeys(part, before));
    return { removed };
  },

  async forgetSearchable(before) {
    let removed = 0;
    for (let chunk = FORGET_CHUNK; chunk === FORGET_CHUNK; removed += chunk)
      chunk = await write(() => searchable.forget(before));
    return { removed };
  },
});

// Removes old rows from the log and the search index in small transactions, so that others get their turn in between.

import { decodeTime } from "ulid";
import { REPEATS_KEPT_MS, type Store } from "../../contract/store.ts";
import type { Clock } from "../../core/clock.ts";
import { DEDUPE_PARTS, dedupePart } from "../prepared.ts";
import { momentOf } from "./insights.ts";
import { prune } from "./log.ts";
import type { WriteUnit } from "./units.ts";

const DAY_MS = 86_400_000;
const FORGET_CHUNK = 1000;

export const createRemoval = (
  write: WriteUnit,
  clock: Pick<Clock, "now">,
): Pick<Store, "pruneEvents" | "forgetSearchable"> => ({
  async pruneEvents(limits) {
    let removed = 0;
    for (let more = true; more; ) {
      const chunk = await write((transaction) => prune(transaction, limits, clock.now()));
      removed += chunk.removed;
      more = chunk.more;
    }
    const { repeatsBefore } = limits;
    const before = repeatsBefore === undefined ? clock.now() - REPEATS_KEPT_MS : Date.parse(repeatsBefore);
    for (let part = 0; part < DEDUPE_PARTS; part++)
      await write(async (transaction) => {
        const kept = await transaction.one<{ id: string }>("SELECT id FROM events ORDER BY sequence LIMIT 1");
        const until = Math.min(before, kept ? decodeTime(kept.id) : before);
        await transaction.run("DELETE FROM dedupe WHERE digest >= $1 AND digest < $2 AND seen_day < $3", [
          ...dedupePart(part),
          Math.floor(until / DAY_MS),
        ]);
      });
    return { removed };
  },

  async forgetSearchable(before) {
    let removed = 0;
    for (let chunk = FORGET_CHUNK; chunk === FORGET_CHUNK; removed += chunk)
      chunk = await write((transaction) =>
        transaction.run(
          `DELETE FROM insights WHERE sequence IN (
             SELECT sequence FROM insights WHERE at_ms < $1 ORDER BY at_ms, sequence LIMIT ${FORGET_CHUNK})`,
          [momentOf(before)],
        ),
      );
    return { removed };
  },
});

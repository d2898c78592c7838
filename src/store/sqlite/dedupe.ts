// What was seen before, whether or not its event is still in the log.

import type { Database } from "better-sqlite3";
import { type DedupeKey, dedupePart } from "../prepared.ts";

const DAY_MS = 86_400_000;

export interface DedupeTable {
  /** Records the keys. @returns whether one that decides was there before */
  isRepeated(keys: readonly DedupeKey[], now: number): boolean;
  /** Removes part of the keys not seen since that time (ms since the epoch); parts are 0 to DEDUPE_PARTS - 1. */
  prune(part: number, before: number): void;
}

export const createDedupe = (db: Database): DedupeTable => {
  const find = db.prepare<[Buffer], { seen_day: number }>("SELECT seen_day FROM dedupe WHERE digest = ?");
  const insert = db.prepare<[Buffer, number]>(
    "INSERT INTO dedupe (digest, seen_day) VALUES (?, ?) ON CONFLICT DO NOTHING",
  );
  // In days: an event that a service repeats on every connection is written at most once a day.
  const refresh = db.prepare<[number, Buffer, number]>(
    "UPDATE dedupe SET seen_day = ? WHERE digest = ? AND seen_day < ?",
  );
  const remove = db.prepare<[Buffer, Buffer, number]>(
    "DELETE FROM dedupe WHERE digest >= ? AND digest < ? AND seen_day < ?",
  );

  return {
    isRepeated: (keys, now) => {
      const today = Math.floor(now / DAY_MS);
      let repeated = false;
      for (const { digest, match, record } of keys) {
        const isNew = record ? insert.run(digest, today).changes === 1 : find.get(digest) === undefined;
        if (isNew) continue;
        refresh.run(today, digest, today);
        repeated ||= match;
      }
      return repeated;
    },
    prune: (part, before) => {
      const [from, to] = dedupePart(part);
      remove.run(from, to, Math.floor(before / DAY_MS));
    },
  };
};

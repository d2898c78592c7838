// What was seen before, whether or not its event is still in the log.

import { hash } from "node:crypto";
import type { Database } from "better-sqlite3";
import type { Dedupe } from "../../contract/new-event.ts";

const DAY_MS = 86_400_000;
const DIGEST_BYTES = 16;

export interface DedupeKey {
  digest: Buffer;
  /** Whether its presence makes the event a repetition. */
  match: boolean;
  /** Whether it is added if missing. */
  record: boolean;
}

export interface DedupeTable {
  /** Records the keys. @returns whether one that decides was there before */
  isRepeated(keys: readonly DedupeKey[], now: number): boolean;
  /** Removes part of the keys not seen since that time (ms since the epoch); parts are 0 to PARTS - 1. */
  prune(part: number, before: number): void;
}

/** Digests are evenly distributed, so each first byte is an equal part of the table. */
export const PARTS = 16;

export const dedupeKeys = ({ scope, match, record }: Dedupe): DedupeKey[] =>
  [...new Set([...match, ...record])].map((key) => ({
    digest: hash("sha256", JSON.stringify([scope, key]), "buffer").subarray(0, DIGEST_BYTES),
    match: match.includes(key),
    record: record.includes(key),
  }));

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
      const step = 256 / PARTS;
      const from = Buffer.of(part * step);
      // Longer than any digest of the last part.
      const to = part + 1 < PARTS ? Buffer.of((part + 1) * step) : Buffer.alloc(DIGEST_BYTES + 1, 0xff);
      remove.run(from, to, Math.floor(before / DAY_MS));
    },
  };
};

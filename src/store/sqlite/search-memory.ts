// The searchable events: indexed in the commit that logs them, kept when the log removes them, read by many filters.
// Their data stays in the log as long as the log has them, so nothing is stored twice. The tables are named after
// insights, the only searchable type so far (contract/searchable.ts).

import type { Database } from "better-sqlite3";
import { TYPE_PREFIX } from "../../contract/new-event.ts";
import { SEARCHABLE, type SearchTerms, searchTermsOf } from "../../contract/searchable.ts";
import { parseJson } from "../../core/exact-json.ts";
import { createSearchReader, firstKey, PER_MS, type SearchReader } from "./search-reader.ts";
import { createTermIndex } from "./search-terms.ts";

export const FORGET_CHUNK = 1000;

export interface SearchMemory {
  /** Runs inside the transaction of the event. `time` is RFC 3339. */
  add(event: { sequence: number; time: string; terms: SearchTerms }): void;
  /** Copies the data of the events up to a sequence, before the same transaction removes them. */
  keep(upTo: number): void;
  read: SearchReader;
  /** Removes the oldest thousand of those before `before`. Runs inside a transaction. @returns how many */
  forget(before: string): number;
  /** Indexes some of the rows that an earlier version indexed differently. Runs inside a transaction. */
  renew(): void;
  /** Whether rows are left to index again. */
  hasOlder(): boolean;
}

export const createSearchMemory = (db: Database): SearchMemory => {
  const highest = db.prepare<[number], number | null>("SELECT max(key) FROM insights WHERE key < ?").pluck();
  const isTaken = db.prepare<[number], number>("SELECT 1 FROM insights WHERE key = ?").pluck();
  const insert = db.prepare<[number, number, string, string | null, number | null]>(
    "INSERT INTO insights (key, sequence, time, type, confidence) VALUES (?, ?, ?, ?, ?)",
  );
  const keep = db.prepare<[number]>(
    `INSERT INTO insight_data (key, data) SELECT i.key, e.data FROM insights i JOIN events e USING (sequence)
     WHERE sequence >= (SELECT min(sequence) FROM events) AND sequence <= ?`,
  );
  const termIndex = createTermIndex(db);
  const oldest = db
    .prepare<[number], number>(`SELECT key FROM insights WHERE key < ? ORDER BY key LIMIT ${FORGET_CHUNK}`)
    .pluck();
  const removals = ["insights", "insight_data"].map((from) =>
    db.prepare<[number]>(`DELETE FROM ${from} WHERE key <= ?`),
  );

  const add: SearchMemory["add"] = ({ sequence, time, terms }) => {
    const first = firstKey(Date.parse(time));
    let key = Math.max(first, (highest.get(first + PER_MS) ?? -1) + 1);
    while (isTaken.get(key) !== undefined) key += 1;
    insert.run(key, sequence, time, terms.type, terms.confidence);
    termIndex.add(key, terms);
  };

  const memory: SearchMemory = {
    add,
    keep: (upTo) => {
      keep.run(upTo);
    },
    read: createSearchReader(db),
    forget(before) {
      const keys = oldest.all(firstKey(Date.parse(before)));
      const last = keys.at(-1);
      if (last !== undefined) {
        for (const remove of removals) remove.run(last);
        termIndex.remove(last);
      }
      return keys.length;
    },
    renew: termIndex.renew,
    hasOlder: termIndex.hasOlder,
  };
  rememberOlder(db, memory);
  return memory;
};

/** Events that an earlier version logged without indexing them. */
function rememberOlder(db: Database, memory: SearchMemory): void {
  const older = db
    .prepare<[], { sequence: number; time: string; data: string }>(
      `SELECT sequence, time, data FROM events INDEXED BY events_by_type
       WHERE type = '${TYPE_PREFIX}${SEARCHABLE}' AND sequence > (SELECT coalesce(max(sequence), 0) FROM insights)`,
    )
    .all();
  if (older.length === 0) return;
  db.transaction(() => {
    for (const row of older) {
      memory.add({ sequence: row.sequence, time: row.time, terms: searchTermsOf(parseJson(row.data)) });
    }
  }).immediate();
}

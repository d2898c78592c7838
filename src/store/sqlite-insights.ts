// The memory of insights: filled in the commit of their events, kept when those are removed, read by many filters.
// What an insight says stays in its event as long as that is there, so that nothing is on the disk twice.

import type { Database } from "better-sqlite3";
import { TYPE_PREFIX } from "../contract/new-event.ts";
import { parseJson } from "../core/exact-json.ts";
import { type InsightIndex, indexOfInsight } from "./insight-index.ts";
import { createInsightReader, firstKey, type InsightReader, PER_MS } from "./insight-reader.ts";
import { createInsightTerms } from "./insight-terms.ts";

const INSIGHT_TYPE = `${TYPE_PREFIX}nex.insight.received`;

export const FORGET_CHUNK = 1000;

export interface InsightMemory {
  /** Inside the transaction of its event. `time` is RFC 3339. */
  add(insight: { sequence: number; time: string; index: InsightIndex }): void;
  /** Takes over what the events up to a sequence say, before they are removed in the same transaction. */
  keep(upTo: number): void;
  read: InsightReader;
  /** Removes the oldest thousand of those before `before`. Inside a transaction. @returns how many */
  forget(before: string): number;
  /** Indexes some of what an earlier version indexed in another way. Inside a transaction. */
  renew(): void;
  /** Whether there is something to renew. */
  hasOlder(): boolean;
}

export const createInsightMemory = (db: Database): InsightMemory => {
  const highest = db.prepare<[number], number | null>("SELECT max(key) FROM insights WHERE key < ?").pluck();
  const isTaken = db.prepare<[number], number>("SELECT 1 FROM insights WHERE key = ?").pluck();
  const insert = db.prepare<[number, number, string, string | null, number | null]>(
    "INSERT INTO insights (key, sequence, time, type, confidence) VALUES (?, ?, ?, ?, ?)",
  );
  const keep = db.prepare<[number]>(
    `INSERT INTO insight_data (key, data) SELECT i.key, e.data FROM insights i JOIN events e USING (sequence)
     WHERE sequence >= (SELECT min(sequence) FROM events) AND sequence <= ?`,
  );
  const terms = createInsightTerms(db);
  const oldest = db
    .prepare<[number], number>(`SELECT key FROM insights WHERE key < ? ORDER BY key LIMIT ${FORGET_CHUNK}`)
    .pluck();
  const removals = ["insights", "insight_data"].map((from) =>
    db.prepare<[number]>(`DELETE FROM ${from} WHERE key <= ?`),
  );

  const add: InsightMemory["add"] = ({ sequence, time, index }) => {
    const first = firstKey(Date.parse(time));
    let key = Math.max(first, (highest.get(first + PER_MS) ?? -1) + 1);
    while (isTaken.get(key) !== undefined) key += 1;
    insert.run(key, sequence, time, index.type, index.confidence);
    terms.add(key, index);
  };

  const memory: InsightMemory = {
    add,
    keep: (upTo) => {
      keep.run(upTo);
    },
    read: createInsightReader(db),
    forget(before) {
      const keys = oldest.all(firstKey(Date.parse(before)));
      const last = keys.at(-1);
      if (last !== undefined) {
        for (const remove of removals) remove.run(last);
        terms.remove(last);
      }
      return keys.length;
    },
    renew: terms.renew,
    hasOlder: terms.hasOlder,
  };
  rememberOlder(db, memory);
  return memory;
};

/** What an earlier version logged without remembering it. */
function rememberOlder(db: Database, memory: InsightMemory): void {
  const older = db
    .prepare<[], { sequence: number; time: string; data: string }>(
      `SELECT sequence, time, data FROM events INDEXED BY events_by_type
       WHERE type = '${INSIGHT_TYPE}' AND sequence > (SELECT coalesce(max(sequence), 0) FROM insights)`,
    )
    .all();
  if (older.length === 0) return;
  db.transaction(() => {
    for (const row of older) {
      const data = parseJson(row.data) as { insight?: unknown }; // written as the data of such an event
      memory.add({ sequence: row.sequence, time: row.time, index: indexOfInsight(data.insight) });
    }
  }).immediate();
}

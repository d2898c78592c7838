// Figures of the store, for monitoring: read on request, and never by a scan.

import { statSync } from "node:fs";
import type { Database } from "better-sqlite3";
import { decodeTime } from "ulid";
import type { StoreFigures } from "../../contract/store.ts";
import { isoTime } from "../../core/clock.ts";
import { parseJson } from "../../core/exact-json.ts";
import type { EventLog } from "./events.ts";

/** @param path of the database file */
export const createFigures = (db: Database, log: EventLog, path: string): (() => StoreFigures) => {
  // Most daemons are never asked, so it is opened late.
  let statements: ReturnType<typeof prepare> | undefined;

  return () => {
    statements ??= prepare(db);
    const { waiting, consumers, consumerCount, idOf } = statements;
    const first = firstUnacknowledged(consumers.iterate(), log);
    const id = first === undefined ? undefined : idOf.get(first);
    return {
      appended: Object.fromEntries(log.counts()),
      oldest: log.oldest(),
      latest: log.latest(),
      bytes: { database: sizeOf(path), wal: sizeOf(`${path}-wal`) },
      waitingSince: {
        proposed: waiting.proposed.get() ?? null,
        approved: waiting.approved.get() ?? null,
        executing: waiting.executing.get() ?? null,
        unknown: waiting.unknown.get() ?? null,
      },
      consumers: {
        count: consumerCount.get() ?? 0,
        behind: first === undefined ? 0 : log.latest() - first + 1,
        behindSince: id === undefined ? null : isoTime(decodeTime(id)),
      },
    };
  };
};

interface Position {
  position: number;
  /** JSON array of patterns, or null: every type. */
  types: string | null;
}

const prepare = (db: Database) => {
  const one = (sql: string) => db.prepare<[], string | null>(sql).pluck();
  return {
    waiting: {
      proposed: one("SELECT proposed_at FROM writes WHERE state = 'proposed' ORDER BY id LIMIT 1"),
      approved: one(
        "SELECT decided_at FROM writes INDEXED BY writes_waiting WHERE state = 'approved' ORDER BY approval_order LIMIT 1",
      ),
      executing: one("SELECT min(executing_at) FROM writes WHERE state = 'executing'"),
      unknown: one("SELECT min(finished_at) FROM writes WHERE state = 'unknown'"),
    },
    // Furthest behind first.
    consumers: db.prepare<[], Position>("SELECT DISTINCT position, types FROM consumers ORDER BY position"),
    consumerCount: db.prepare<[], number>("SELECT count(*) FROM consumers").pluck(),
    idOf: db.prepare<[number], string>("SELECT id FROM events WHERE sequence = ?").pluck(),
  };
};

/** Over all consumers, the oldest event that one of them wants and has not acknowledged. */
function firstUnacknowledged(consumers: Iterable<Position>, log: EventLog): number | undefined {
  let first: number | undefined;
  for (const { position, types } of consumers) {
    // None of the others can be further behind.
    if (first !== undefined && position + 1 >= first) break;
    const query = { after: position, limit: 1 };
    // putConsumer wrote it from string[].
    const page = log.page(types === null ? query : { ...query, types: parseJson(types) as string[] });
    const found = page.events[0]?.sequence;
    if (found !== undefined) first = Math.min(first ?? found, found);
  }
  return first;
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

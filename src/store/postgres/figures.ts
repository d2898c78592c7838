// The state of the store in numbers, for monitoring: read on demand, and never by a scan.

import { decodeTime } from "ulid";
import type { StoreFigures } from "../../contract/store.ts";
import { isoTime } from "../../core/clock.ts";
import { parseJson } from "../../core/exact-json.ts";
import type { Connection } from "./connection.ts";
import { readPage } from "./log.ts";

const FIGURES = `SELECT h.oldest, h.latest,
  (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
   WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r') AS bytes,
  (SELECT proposed_at FROM writes WHERE state = 'proposed' ORDER BY id LIMIT 1) AS proposed,
  (SELECT decided_at FROM writes WHERE state = 'approved' ORDER BY approval_order LIMIT 1) AS approved,
  (SELECT min(executing_at) FROM writes WHERE state = 'executing') AS executing,
  (SELECT min(finished_at) FROM writes WHERE state = 'unknown') AS unknown,
  (SELECT count(*) FROM consumers) AS consumers
  FROM head h`;

interface Row {
  oldest: number;
  latest: number;
  bytes: number;
  proposed: string | null;
  approved: string | null;
  executing: string | null;
  unknown: string | null;
  consumers: number;
}

export async function readFigures(
  connection: Connection,
  appended: ReadonlyMap<string, number>,
): Promise<StoreFigures> {
  const [row] = await connection.query<Row>(FIGURES);
  if (!row) throw new Error("the end of the log is not there");
  const { oldest, latest, bytes, proposed, approved, executing, unknown, consumers } = row;
  const first = await firstUnacknowledged(connection);
  const [event] =
    first === undefined
      ? []
      : await connection.query<{ id: string }>("SELECT id FROM events WHERE sequence = $1", [first]);
  return {
    appended: Object.fromEntries(appended),
    ...{ oldest, latest },
    bytes: { database: bytes, wal: 0 },
    waitingSince: { proposed, approved, executing, unknown },
    consumers: {
      count: consumers,
      behind: first === undefined ? 0 : latest - first + 1,
      behindSince: event ? isoTime(decodeTime(event.id)) : null,
    },
  };
}

/** The oldest event that any consumer wants and has not acknowledged. */
async function firstUnacknowledged(connection: Connection): Promise<number | undefined> {
  let first: number | undefined;
  // The furthest behind first.
  const positions = await connection.query<{ position: number; types: string | null }>(
    "SELECT DISTINCT position, types FROM consumers ORDER BY position",
  );
  for (const { position, types } of positions) {
    // The remaining ones cannot be further behind.
    if (first !== undefined && position + 1 >= first) break;
    const query = { after: position, limit: 1 };
    // Written by putConsumer from a string[].
    const page = await readPage(
      connection,
      types === null ? query : { ...query, types: parseJson(types) as string[] },
    );
    const found = page.events[0]?.sequence;
    if (found !== undefined) first = Math.min(first ?? found, found);
  }
  return first;
}

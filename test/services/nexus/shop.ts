// The tables of a shop as plain arrays, read by queries as PostgREST would answer them: for tests of many small worlds.

import type { StoredRecord } from "../../../src/contract/store.ts";
import type { Row, RowReader } from "../../../src/services/nexus/client.ts";
import { createPageMemory } from "../../../src/services/nexus/pages.ts";
import type { Filter } from "../../../src/services/nexus/query.ts";
import {
  type Changes,
  readChanges,
  type Watch,
  type WatchSettings,
} from "../../../src/services/nexus/watch.ts";

/** An id that sorts like its number. */
export const uuid = (n: number | string): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

function meets(row: Row, { column, operator, value }: Filter): boolean {
  const own = row[column];
  if (operator === "in") return Array.isArray(value) && value.includes(String(own));
  if (typeof own !== typeof value || own === null || value === null) return false;
  // Both are strings or both are numbers here.
  const [a, b] = [own as string, value as string];
  return {
    eq: a === b,
    neq: a !== b,
    lt: a < b,
    lte: a <= b,
    gt: a > b,
    gte: a >= b,
    is: false,
    "not.is": false,
  }[operator];
}

/** Reads only, with at most `maxRows` rows in an answer. */
export const readShop = (tables: Record<string, () => Iterable<Row>>, maxRows = 3): RowReader => ({
  async readUnless(known, query, signal) {
    const rows = await this.read(query, signal);
    const digest = JSON.stringify(rows);
    return { digest, rows: digest === known ? undefined : rows };
  },
  async read({ table, filters, after = [], order: [column = "id"] = [], newestFirst, limit = maxRows }) {
    const ascending = [...(tables[table]?.() ?? [])]
      .filter((row) => filters.every((filter) => meets(row, filter)))
      .filter((row) => after.every(({ column, value }) => String(row[column]) > (value ?? "")))
      // Both are strings or both are numbers here.
      .sort((a, b) => ((a[column] as string) < (b[column] as string) ? -1 : 1));
    return (newestFirst ? ascending.reverse() : ascending).slice(0, Math.min(limit, maxRows));
  },
});

/** A watch as its job runs it, with records in a map. */
export function follow<Settings extends WatchSettings, State>(
  nexus: RowReader,
  watch: Watch<Settings, State>,
  settings: Settings,
  { remembersPages = true, committing = () => {} } = {},
) {
  const records = new Map<string, unknown>();
  const pages = createPageMemory();
  return {
    records,
    async look({ now = Date.UTC(2026, 10, 20), lastPassAt = null as number | null } = {}) {
      const events: Changes["events"] = [];
      for await (const changes of readChanges(nexus, watch, {
        settings,
        lastPassAt,
        now: () => now,
        isOlder: (madeAt, ageMs) => now - madeAt >= ageMs,
        pages: remembersPages ? pages : createPageMemory(),
        signal: AbortSignal.timeout(60_000),
        records: async ({ after, upTo = "~", limit }) =>
          [...records]
            .filter(([key]) => key > after && key <= upTo)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .slice(0, limit)
            .map(
              ([key, value]): StoredRecord => ({ key, value, json: JSON.stringify(value), updatedAt: "" }),
            ),
      })) {
        if (changes.put.length + changes.remove.length > 0) committing();
        events.push(...changes.events);
        for (const { key } of changes.remove) records.delete(key);
        for (const { key, value } of changes.put) records.set(key, value);
      }
      return events;
    },
  };
}

// What jobs and readers remember besides the log: cursors, records, consumers.

import type { Consumer, RecordRange, StoredRecord } from "../../contract/store.ts";
import { parseJson } from "../../core/exact-json.ts";
import type { Connection } from "./connection.ts";

export interface RecordRow {
  key: string;
  value: string;
  updated_at: string;
}

export const toRecord = (row: RecordRow): StoredRecord => ({
  key: row.key,
  value: parseJson(row.value),
  json: row.value,
  updatedAt: row.updated_at,
});

export async function readCursor(connection: Connection, source: string) {
  const [row] = await connection.query<{ value: string; updated_at: string }>(
    "SELECT value, updated_at FROM cursors WHERE source = $1",
    [source],
  );
  return row && { value: parseJson(row.value), updatedAt: row.updated_at };
}

export async function readRecord(connection: Connection, kind: string, key: string) {
  const [row] = await connection.query<RecordRow>(
    "SELECT key, value, updated_at FROM records WHERE kind = $1 AND key = $2",
    [kind, key],
  );
  return row && toRecord(row);
}

export async function readRecords(
  connection: Connection,
  kind: string,
  part?: RecordRange,
): Promise<StoredRecord[]> {
  const columns = "SELECT key, value, updated_at FROM records WHERE kind = $1";
  const rows = !part
    ? await connection.query<RecordRow>(`${columns} ORDER BY key`, [kind])
    : part.upTo === undefined
      ? await connection.query<RecordRow>(`${columns} AND key > $2 ORDER BY key LIMIT $3`, [
          kind,
          part.after,
          part.limit,
        ])
      : await connection.query<RecordRow>(`${columns} AND key > $2 AND key <= $4 ORDER BY key LIMIT $3`, [
          ...[kind, part.after, part.limit, part.upTo],
        ]);
  return rows.map(toRecord);
}

export interface ConsumerRow {
  name: string;
  position: number;
  types: string | null;
  token_hash: string | null;
  created_at: string;
  updated_at: string;
}

export const toConsumer = (row: ConsumerRow): Consumer => ({
  name: row.name,
  position: row.position,
  // Written by putConsumer from a string[].
  types: row.types === null ? null : (parseJson(row.types) as string[]),
  isBound: row.token_hash !== null,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

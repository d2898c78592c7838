// What jobs and readers store beside the log: cursors, records, secrets, consumers. Writing an unchanged value
// changes no page, so the transaction costs no fsync.

import type { Database } from "better-sqlite3";
import type { Consumer, RecordRange, StoredRecord } from "../../contract/store.ts";
import { parseJson, stringifyJson } from "../../core/exact-json.ts";

interface ConsumerRow {
  name: string;
  position: number;
  types: string | null;
  token_hash: string | null;
  created_at: string;
  updated_at: string;
}

/** Reads at any time; writes inside a transaction. Writes take `value` as JSON text. */
export const createState = (db: Database) => {
  const cursor = db.prepare<[string], { value: string; updated_at: string }>(
    "SELECT value, updated_at FROM cursors WHERE source = ?",
  );
  const putCursor = db.prepare<[string, string, string]>(
    `INSERT INTO cursors (source, value, updated_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE
     SET value = excluded.value, updated_at = excluded.updated_at WHERE value <> excluded.value`,
  );
  const record = db.prepare<[string, string], RecordRow>(
    "SELECT key, value, updated_at FROM records WHERE kind = ? AND key = ?",
  );
  const records = db.prepare<[string], RecordRow>(
    "SELECT key, value, updated_at FROM records WHERE kind = ? ORDER BY key",
  );
  const recordRange = db.prepare<[string, string, string, number], RecordRow>(
    "SELECT key, value, updated_at FROM records WHERE kind = ? AND key > ? AND key <= ? ORDER BY key LIMIT ?",
  );
  const recordsAfter = db.prepare<[string, string, number], RecordRow>(
    "SELECT key, value, updated_at FROM records WHERE kind = ? AND key > ? ORDER BY key LIMIT ?",
  );
  const putRecord = db.prepare<[string, string, string, string]>(
    `INSERT INTO records (kind, key, value, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
     SET value = excluded.value, updated_at = excluded.updated_at WHERE value <> excluded.value`,
  );
  const removeRecord = db.prepare<[string, string]>("DELETE FROM records WHERE kind = ? AND key = ?");
  const secret = db.prepare<[string], string>("SELECT value FROM secrets WHERE name = ?").pluck();
  const putSecret = db.prepare<[string, string]>(
    `INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE
     SET value = excluded.value WHERE value <> excluded.value`,
  );
  const removeSecret = db.prepare<[string]>("DELETE FROM secrets WHERE name = ?");
  const consumer = db.prepare<[string], ConsumerRow>("SELECT * FROM consumers WHERE name = ?");
  const consumers = db.prepare<[string, number], ConsumerRow>(
    "SELECT * FROM consumers WHERE name > ? ORDER BY name LIMIT ?",
  );
  const countConsumers = db.prepare<[], number>("SELECT count(*) FROM consumers").pluck();
  const putConsumer = db.prepare<[string, number, string | null, string, string, string | null]>(
    `INSERT INTO consumers (name, position, types, created_at, updated_at, token_hash) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET position = excluded.position, types = excluded.types, updated_at = excluded.updated_at`,
  );
  const ackConsumer = db.prepare<[number, string, string, number]>(
    "UPDATE consumers SET position = ?, updated_at = ? WHERE name = ? AND position < ?",
  );
  const setTypes = db.prepare<[string | null, string, string, string | null]>(
    "UPDATE consumers SET types = ?, updated_at = ? WHERE name = ? AND types IS NOT ?",
  );
  const deleteConsumer = db.prepare<[string]>("DELETE FROM consumers WHERE name = ?");

  const readConsumer = (name: string): Consumer | undefined => {
    const row = consumer.get(name);
    return row && toConsumer(row);
  };

  return {
    readCursor: (source: string) => {
      const row = cursor.get(source);
      return row && { value: parseJson(row.value), updatedAt: row.updated_at };
    },
    putCursor: (source: string, value: string, now: string): void => {
      putCursor.run(source, value, now);
    },

    readRecord: (kind: string, key: string): StoredRecord | undefined => {
      const row = record.get(kind, key);
      return row && toRecord(row);
    },
    readRecords: (kind: string, part?: RecordRange): StoredRecord[] => {
      if (!part) return records.all(kind).map(toRecord);
      const { after, upTo, limit } = part;
      const rows =
        upTo === undefined ? recordsAfter.all(kind, after, limit) : recordRange.all(kind, after, upTo, limit);
      // Parsing one text for all rows takes half the time.
      const values = parseJson(`[${rows.map(({ value }) => value).join(",")}]`);
      if (!Array.isArray(values)) throw new TypeError("records are a list");
      return rows.map((row, index) => ({
        key: row.key,
        value: values[index],
        json: row.value,
        updatedAt: row.updated_at,
      }));
    },
    putRecord: (kind: string, key: string, value: string, now: string): void => {
      putRecord.run(kind, key, value, now);
    },
    removeRecord: (kind: string, key: string): void => {
      removeRecord.run(kind, key);
    },

    readSecret: (name: string): string | undefined => secret.get(name),
    putSecret: (name: string, value: string | null): void => {
      if (value === null) removeSecret.run(name);
      else putSecret.run(name, value);
    },

    readConsumer,
    readConsumers: ({ after = "", limit }: { after?: string; limit: number }): Consumer[] =>
      consumers.all(after, limit).map(toConsumer),
    countConsumers: (): number => countConsumers.get() ?? 0,
    /** Whether the agent's token lets it change the consumer; undefined: no token is needed. */
    mayUse: (name: string, proof: string | undefined): boolean => {
      const bound = proof === undefined ? null : (consumer.get(name)?.token_hash ?? null);
      return bound === null || bound === proof;
    },
    putConsumer: (
      name: string,
      position: number,
      types: string[] | undefined,
      now: string,
      bindTo: string | undefined,
    ): Consumer => {
      // An existing consumer keeps its binding.
      putConsumer.run(name, position, types ? stringifyJson(types) : null, now, now, bindTo ?? null);
      return readConsumer(name) ?? missing(name);
    },
    setConsumerTypes: (name: string, types: string[] | null, now: string): Consumer | undefined => {
      const json = types && stringifyJson(types);
      setTypes.run(json, now, name, json);
      return readConsumer(name);
    },
    /** `isMoved`: whether the position has changed. */
    ackConsumer: (
      name: string,
      sequence: number,
      now: string,
    ): { consumer: Consumer | undefined; isMoved: boolean } => {
      const isMoved = ackConsumer.run(sequence, now, name, sequence).changes > 0;
      return { consumer: readConsumer(name), isMoved };
    },
    deleteConsumer: (name: string): boolean => deleteConsumer.run(name).changes > 0,
  };
};

interface RecordRow {
  key: string;
  value: string;
  updated_at: string;
}

const toRecord = (row: RecordRow): StoredRecord => ({
  key: row.key,
  value: parseJson(row.value),
  json: row.value,
  updatedAt: row.updated_at,
});

const toConsumer = (row: ConsumerRow): Consumer => ({
  name: row.name,
  position: row.position,
  // Written by putConsumer from string[].
  types: row.types === null ? null : (parseJson(row.types) as string[]),
  isBound: row.token_hash !== null,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

const missing = (name: string): never => {
  throw new Error(`consumer ${name} is not there after it was written`);
};

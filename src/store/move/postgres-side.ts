// A PostgreSQL schema as the source or target of a move.

import { searchTermsOf } from "../../contract/searchable.ts";
import { WRITE_STATES } from "../../contract/writes.ts";
import { parseJson, stringifyJson } from "../../core/exact-json.ts";
import type { Connection } from "../postgres/connection.ts";
import { postgresError } from "../postgres/errors.ts";
import { insightRow } from "../postgres/insights.ts";
import type { PostgresTarget } from "../postgres/inspect.ts";
import { createKeyring, type Keyring } from "../postgres/keyring.ts";
import { checkKeys } from "../postgres/secrets.ts";
import { bytesOf, OPEN_STATES } from "../steps.ts";
import { type Ends, pageOf, type Row, type Source, type Table, type Target } from "./tables.ts";

const columnsOf = (table: Table) => table.columns.map((column) => `"${column}"`).join(", ");

/** @param connection holds the lock of the schema */
export async function postgresSource(
  connection: Connection,
  { keys, place }: PostgresTarget,
): Promise<Source> {
  const keyring = createKeyring(keys);
  await checkKeys(connection, keyring, place, { isReadOnly: true });
  return {
    rows: async (table, after, limit) => {
      const isInsights = table.name === "insights";
      const page = pageOf(table, after, (at) => `$${at}`, isInsights ? "i." : "");
      const from = isInsights
        ? "i.sequence, i.time, i.data AS kept, coalesce(i.data, e.data) AS text FROM insights i LEFT JOIN events e USING (sequence)"
        : `${columnsOf(table)} FROM ${table.name}`;
      const rows = await connection.query<Row>(
        `SELECT ${from} ${page.where} ${page.order} LIMIT ${limit}`,
        page.values,
      );
      return table.name === "secrets" ? rows.map((row) => inClear(keyring, row)) : rows;
    },
    ends: async () => {
      const [row] = await connection.query<{
        epoch: string;
        latest: number;
        oldest: number;
        rows: number;
        hash: string;
      }>(
        `SELECT latest, oldest, audit_rows AS rows, audit_head AS hash,
           (SELECT value FROM meta WHERE key = 'epoch') AS epoch FROM head`,
      );
      if (!row) throw postgresError("corrupt", place, "the end of the log is not there");
      const { epoch, latest, oldest, rows, hash } = row;
      return { epoch, latest, oldest, auditRows: rows, auditHead: hash };
    },
  };
}

const inClear = (keyring: Keyring, row: Row): Row => {
  const value = keyring.decrypt(String(row.name), String(row.value));
  if (value === undefined) throw new Error("a secret was changed while it was moved");
  return { ...row, value };
};

/**
 * An empty schema, or one that an earlier move of the same database left.
 * @throws StoreError if it contains anything else
 */
export async function postgresTarget(
  connection: Connection,
  { keys, place }: PostgresTarget,
  epoch: string,
): Promise<Target> {
  const keyring = createKeyring(keys);
  const meta = await connection.query<{ key: string; value: string }>("SELECT key, value FROM meta");
  const of = new Map(meta.map(({ key, value }) => [key, value]));
  if (of.has("epoch") || (of.get("moving") ?? epoch) !== epoch)
    throw postgresError("unusable", place, "there is a log in it already", {
      remedy: "drop the schema, or name another one in [store] schema",
    });
  await connection.query("INSERT INTO meta (key, value) VALUES ('moving', $1) ON CONFLICT DO NOTHING", [
    epoch,
  ]);
  await checkKeys(connection, keyring, place);

  const insertOne = (table: Table, row: Row): Promise<unknown> => {
    if (table.name === "insights") {
      const text = typeof row.text === "string" ? row.text : "null";
      const insight = {
        sequence: Number(row.sequence),
        time: String(row.time),
        terms: searchTermsOf(parsed(text)),
        size: text.length,
      };
      const statement = insightRow(insight);
      const sent = connection.run(statement.text, statement.values);
      if (row.kept === null || row.kept === undefined) return sent;
      return Promise.all([
        sent,
        connection.run("UPDATE insights SET data = $2 WHERE sequence = $1", [insight.sequence, row.kept]),
      ]);
    }
    const values = table.columns.map((column) => row[column] ?? null);
    const marks = values.map((_, at) => `$${at + 1}`).join(", ");
    if (table.name === "events")
      return connection.run(
        `INSERT INTO events (${columnsOf(table)}, size) VALUES (${marks}, $${values.length + 1})`,
        [...values, String(row.data).length],
      );
    if (table.name === "secrets")
      return connection.run("INSERT INTO secrets (name, value) VALUES ($1, $2)", [
        row.name ?? null,
        keyring.encrypt(String(row.name), String(row.value)),
      ]);
    return connection.run(`INSERT INTO ${table.name} (${columnsOf(table)}) VALUES (${marks})`, values);
  };

  return {
    last: async (table) => {
      const order = table.key.map((column) => `${column} DESC`).join(", ");
      return (
        await connection.query<Row>(
          `SELECT ${table.key.join(", ")} FROM ${table.name} ORDER BY ${order} LIMIT 1`,
        )
      )[0];
    },
    insert: async (table, rows) => {
      const sent = [
        connection.script("BEGIN"),
        ...rows.map((row) => insertOne(table, row)),
        connection.script("COMMIT"),
      ];
      const failed = (await Promise.allSettled(sent)).find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
    },
    finish: (ends) => finish(connection, ends),
  };
}

async function finish(connection: Connection, ends: Ends): Promise<void> {
  type Open = { id: string; state: string; request: string; preview: string };
  const counted = await connection.query<{ state: string; writes: number }>(
    "SELECT state, count(*) AS writes FROM writes GROUP BY state",
  );
  const of = new Map(counted.map(({ state, writes }) => [state, writes]));
  const counts = Object.fromEntries(WRITE_STATES.map((state) => [state, of.get(state) ?? 0]));
  const open = await connection.query<Open>(
    "SELECT id, state, request, preview FROM writes WHERE state = ANY($1::text[])",
    [[...OPEN_STATES]],
  );
  const bytes = open.reduce((sum, row) => sum + bytesOf(row), 0);
  await connection.script("BEGIN");
  await connection.run("INSERT INTO event_types SELECT DISTINCT type FROM events ON CONFLICT DO NOTHING");
  await connection.run(
    `UPDATE head SET latest = $1, oldest = $2, audit_rows = $3, audit_head = $4, writes = $5, open_writes = $6, open_bytes = $7,
       last_id = (SELECT id FROM events ORDER BY sequence DESC LIMIT 1)`,
    [ends.latest, ends.oldest, ends.auditRows, ends.auditHead, stringifyJson(counts), open.length, bytes],
  );
  await connection.run("INSERT INTO meta (key, value) VALUES ('epoch', $1), ('probes', '0')", [ends.epoch]);
  await connection.run("DELETE FROM meta WHERE key = 'moving'");
  const { command } = await connection.script("COMMIT");
  if (command !== "COMMIT") throw new Error("the end of the move was rolled back without an error");
}

/** As the log's index does it: text that cannot be parsed has no words. */
function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

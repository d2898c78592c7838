// Inspects a schema without changing it, with or without a running daemon: whether it is intact, and everything in it.

import { whatIsWrong } from "../../contract/audit.ts";
import { cloudEventJson, type EventRow } from "../../contract/cloudevent.ts";
import type { FurtherLook } from "../../contract/write-store.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { toWrite, type WriteRow } from "../write-rows.ts";
import { readAudit } from "./audit.ts";
import { verifyAudit } from "./audit-verify.ts";
import { Connection } from "./connection.ts";
import { postgresError, toPostgresError } from "./errors.ts";
import { createKeyring } from "./keyring.ts";
import { knownVersion, schemaVersion } from "./migrate.ts";
import { checkKeys } from "./secrets.ts";

export interface PostgresTarget {
  url: string;
  schema: string;
  /** The URL without user and password. */
  place: string;
  /** 32 bytes each. */
  keys: readonly Buffer[];
}

export interface PostgresFinding {
  check: "schema" | "settings" | "encryption keys" | "sequence" | "audit chain";
  ok: boolean;
  /** The finding, as a phrase. */
  detail: string;
}

const PAGE = 500;

/** Runs the work in one snapshot. @throws StoreError */
async function reading<T>(target: PostgresTarget, work: (connection: Connection) => Promise<T>): Promise<T> {
  const { url, schema, place } = target;
  const connection = await Connection.open({ url, schema, place, applicationName: "nexusctl" });
  try {
    const version = await schemaVersion(connection);
    if (version === 0)
      throw postgresError("unusable", place, "there is no schema of nexusd", {
        remedy: "the daemon makes it when it starts",
      });
    if (version > knownVersion())
      throw postgresError(
        "newer_version",
        place,
        `the schema has version ${version}, this nexusctl knows ${knownVersion()}`,
      );
    if (version < knownVersion())
      throw postgresError("unusable", place, "its schema is older than this nexusctl", {
        remedy: "start the daemon once, which brings it up to date",
      });
    await connection.script(
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0",
    );
    return await work(connection);
  } catch (error) {
    throw toPostgresError(error, place);
  } finally {
    await connection.end();
  }
}

/** Reads every row of the audit log. @throws StoreError if it cannot be read at all */
export const checkPostgres = (target: PostgresTarget, also?: FurtherLook): Promise<PostgresFinding[]> =>
  reading(target, async (connection) => {
    const verdict = await verifyAudit(connection, undefined, also);
    return [
      { check: "schema", ok: true, detail: `version ${knownVersion()}` },
      await checkSettings(connection),
      await checkStoredKeys(connection, target),
      await checkSequence(connection),
      {
        check: "audit chain",
        ok: verdict.ok,
        detail: verdict.ok
          ? `${verdict.rows} ${verdict.rows === 1 ? "row" : "rows"}, unbroken`
          : whatIsWrong(verdict),
      },
    ];
  });

/** The settings that make a commit durable. */
async function checkSettings(connection: Connection): Promise<PostgresFinding> {
  const rows = await connection.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'server_version')",
  );
  const of = new Map(rows.map(({ name, setting }) => [name, setting]));
  const off = ["fsync", "full_page_writes"].filter((name) => of.get(name) === "off");
  return off.length > 0
    ? {
        check: "settings",
        ok: false,
        detail: `${off.join(" and ")} off: a crash of its machine can lose what was committed`,
      }
    : { check: "settings", ok: true, detail: `PostgreSQL ${of.get("server_version")}, commits are durable` };
}

async function checkStoredKeys(
  connection: Connection,
  { keys, place }: PostgresTarget,
): Promise<PostgresFinding> {
  const check = "encryption keys";
  try {
    const count = await checkKeys(connection, createKeyring(keys), place, { isReadOnly: true });
    return { check, ok: true, detail: `${count} ${count === 1 ? "secret" : "secrets"}, each opens` };
  } catch (error) {
    return { check, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

async function checkSequence(connection: Connection): Promise<PostgresFinding> {
  const check = "sequence";
  type Row = { events: number; first: number | null; last: number | null; latest: number; oldest: number };
  const [row] = await connection.query<Row>(
    `SELECT h.latest, h.oldest, e.* FROM head h,
       (SELECT count(*) AS events, min(sequence) AS first, max(sequence) AS last FROM events) e`,
  );
  if (!row) return { check, ok: false, detail: "the end of the log is gone" };
  const { events, first, last, latest, oldest } = row;
  if (first === null || last === null)
    return latest === oldest - 1
      ? { check, ok: true, detail: "the log has no events" }
      : { check, ok: false, detail: `events ${oldest} to ${latest} are missing` };
  if (last !== latest) return { check, ok: false, detail: `events ${last + 1} to ${latest} are missing` };
  if (first !== oldest) return { check, ok: false, detail: `events ${oldest} to ${first - 1} are missing` };
  return last - first + 1 === events
    ? { check, ok: true, detail: `events ${first} to ${last}` }
    : {
        check,
        ok: false,
        detail: `${last - first + 1 - events} events are missing between ${first} and ${last}`,
      };
}

/**
 * Every event, write and audit row as JSON text, one at a time, the same as from SQLite: `{"event":…}`, `{"write":…}`,
 * `{"audit":…}`, each kind in its order, oldest first. @throws StoreError
 */
export const exportPostgres = (
  target: PostgresTarget,
  take: (line: string) => Promise<void>,
): Promise<void> =>
  reading(target, async (connection) => {
    const events = (after: number) =>
      connection.query<EventRow>(
        "SELECT sequence, id, source, type, subject, time, data FROM events WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        [after, PAGE],
      );
    for (let page = await events(0); page.length > 0; page = await events(page.at(-1)?.sequence ?? 0))
      for (const row of page) await take(`{"event":${cloudEventJson(row)}}`);
    const writes = (after: string) =>
      connection.query<WriteRow>("SELECT * FROM writes WHERE id > $1 ORDER BY id LIMIT $2", [after, PAGE]);
    for (let page = await writes(""); page.length > 0; page = await writes(page.at(-1)?.id ?? ""))
      for (const row of page) await take(stringifyJson({ write: toWrite(row) }));
    const audit = (after: number) => readAudit(connection, { after, limit: PAGE });
    for (let page = await audit(0); page.length > 0; page = await audit(page.at(-1)?.sequence ?? 0))
      for (const row of page) await take(stringifyJson({ audit: row }));
  });

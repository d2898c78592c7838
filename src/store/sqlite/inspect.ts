// Inspects a database file without changing it, whether or not a daemon is running: is it sound and complete, and
// what does it hold.

import { accessSync, closeSync, constants, openSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { whatIsWrong } from "../../contract/audit.ts";
import { cloudEventJson, type EventRow } from "../../contract/cloudevent.ts";
import { StoreError } from "../../contract/store.ts";
import type { AuditVerdict, FurtherLook } from "../../contract/write-store.ts";
import type { AuditRow } from "../../contract/writes.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { toWrite, type WriteRow } from "../write-rows.ts";
import { createAuditLog } from "./audit.ts";
import { createVerify } from "./audit-verify.ts";
import { copyName, removeCopy } from "./backup.ts";
import { storeError, toStoreError } from "./errors.ts";
import { readMigrations, refuseNewer } from "./migrate.ts";

export interface Finding {
  check: "integrity" | "foreign keys" | "sequence" | "audit chain";
  ok: boolean;
  /** What was found, as a phrase. */
  detail: string;
}

const PAGE = 500;

/** Reads everything in one transaction, as of one moment. @throws StoreError */
async function reading<T>(path: string, work: (db: Database.Database) => Promise<T>): Promise<T> {
  let db: Database.Database | undefined;
  try {
    // better-sqlite3 throws an error without a code when the directory does not exist.
    accessSync(path, constants.R_OK);
    db = new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    db.exec("BEGIN");
    const migrations = readMigrations();
    refuseNewer(db, migrations, path);
    return await work(db);
  } catch (error) {
    throw error instanceof Error && "syscall" in error
      ? storeError("unusable", path, `it cannot be read (${error.message})`, {
          cause: error,
          remedy: "give the daemon's directory with --data-dir, and run as its owner",
        })
      : toStoreError(error, path);
  } finally {
    db?.close();
  }
}

/**
 * The same on a copy. A slow reader may take hours, and while a transaction reads the database itself, nothing that
 * the daemon writes can leave the write-ahead log.
 */
const readingCopy = <T>(path: string, work: (db: Database.Database) => Promise<T>): Promise<T> =>
  reading(path, async (db) => {
    const copy = await openCopy(db, path).catch((error: unknown) => {
      const { code } = error instanceof StoreError ? error : {};
      // With no room for a copy, the daemon writes little either, so reading the database itself is fine.
      if (code === "full" || code === "read_only") return undefined;
      throw error;
    });
    if (!copy) return await work(db);
    db.close();
    try {
      return await work(copy);
    } finally {
      copy.close();
    }
  });

/** Its file name is already removed, so the caller only has to close it. @throws StoreError */
async function openCopy(db: Database.Database, path: string): Promise<Database.Database> {
  const copy = copyName(dirname(path));
  try {
    closeSync(openSync(copy, "wx", 0o600));
    // The first hundred pages, then all the rest: in small steps it would start over with each commit of the daemon.
    db.exec("COMMIT");
    await db.backup(copy, { progress: ({ remainingPages }) => remainingPages });
    const opened = new Database(copy);
    opened.pragma("journal_mode = MEMORY");
    return opened;
  } catch (error) {
    if (!db.inTransaction) db.exec("BEGIN");
    throw toStoreError(error, path);
  } finally {
    removeCopy(copy);
  }
}

/**
 * Reads every page of the file and every row of the audit log. @throws StoreError if the file cannot be read at all
 */
export const checkDatabase = (path: string, also?: FurtherLook): Promise<Finding[]> =>
  reading(path, async (db) => {
    const integrity = column(db, "PRAGMA integrity_check(5)");
    const isSound = integrity.length === 1 && integrity[0] === "ok";
    if (!isSound) return [{ check: "integrity", ok: false, detail: integrity.join("; ") }];
    const strays = db.prepare("PRAGMA foreign_key_check").all().length;
    return [
      { check: "integrity", ok: true, detail: "every page and index is intact" },
      {
        check: "foreign keys",
        ok: strays === 0,
        detail: strays === 0 ? "every reference is valid" : `${strays} point to a missing row`,
      },
      checkSequence(db),
      await checkAudit(db, also),
    ];
  });

/** Only the chain of the audit log, which is much faster. @throws StoreError */
export const checkAuditChain = (path: string, also?: FurtherLook): Promise<Finding> =>
  reading(path, (db) => checkAudit(db, also));

/**
 * The chain of a copy of the database, and its rows in order. @param head the hash of a row that was noted elsewhere
 * @param take is called with each row @throws StoreError
 */
export const verifyAuditCopy = (
  path: string,
  { head, also }: { head: string | undefined; also: FurtherLook },
  take: (row: AuditRow) => Promise<void>,
): Promise<AuditVerdict> =>
  reading(path, async (db) => {
    if (Number(db.pragma("user_version", { simple: true })) < readMigrations().length)
      throw storeError("unusable", path, "its schema is older than this nexusctl", {
        remedy: "use the nexusctl of the version that wrote it, or let a daemon upgrade it first",
      });
    const audit = createAuditLog(db);
    const verdict = await createVerify(db, audit)(head, async (query) => query(), also);
    for (const row of pages((last?: AuditRow) => audit.read({ after: last?.sequence ?? 0, limit: PAGE })))
      await take(row);
    return verdict;
  });

const column = (db: Database.Database, sql: string): unknown[] => db.prepare<[], unknown>(sql).pluck().all();

function checkSequence(db: Database.Database): Finding {
  const check = "sequence";
  const { events, oldest, latest, given } = db
    .prepare<[], { events: number; oldest: number | null; latest: number | null; given: number | null }>(
      `SELECT count(*) AS events, min(sequence) AS oldest, max(sequence) AS latest,
              (SELECT seq FROM sqlite_sequence WHERE name = 'events') AS given FROM events`,
    )
    .get() ?? { events: 0, oldest: null, latest: null, given: null };
  if (oldest === null || latest === null) return { check, ok: true, detail: "the log has no events" };
  if (given !== latest) return { check, ok: false, detail: `events ${latest + 1} to ${given} are missing` };
  if (latest - oldest + 1 === events) return { check, ok: true, detail: `events ${oldest} to ${latest}` };
  const [before] = column(
    db,
    `SELECT sequence FROM events AS one
     WHERE NOT EXISTS (SELECT 1 FROM events WHERE sequence = one.sequence + 1) ORDER BY sequence LIMIT 1`,
  );
  return { check, ok: false, detail: `${latest - oldest + 1 - events} events are missing after ${before}` };
}

async function checkAudit(db: Database.Database, also?: FurtherLook): Promise<Finding> {
  const check = "audit chain";
  const version = Number(db.pragma("user_version", { simple: true }));
  if (version < readMigrations().length)
    return { check, ok: true, detail: "not checked: start the daemon once to upgrade this older schema" };
  const verdict = await createVerify(db, createAuditLog(db))(undefined, async (query) => query(), also);
  return {
    check,
    ok: verdict.ok,
    detail: verdict.ok
      ? `${verdict.rows} ${verdict.rows === 1 ? "row" : "rows"}, unbroken`
      : whatIsWrong(verdict),
  };
}

/**
 * Every event, write and audit row as JSON text, one at a time: `{"event":…}`, `{"write":…}`, `{"audit":…}`. Each
 * kind is in order, oldest first. @throws StoreError
 */
export const exportDatabase = (path: string, take: (line: string) => Promise<void>): Promise<void> =>
  readingCopy(path, async (db) => {
    if (Number(db.pragma("user_version", { simple: true })) < readMigrations().length)
      throw storeError("unusable", path, "its schema is older than this nexusctl", {
        remedy: "start the daemon once to upgrade it",
      });
    const events = db.prepare<[number, number], EventRow>(
      "SELECT sequence, id, source, type, subject, time, data FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
    );
    for (const row of pages((last?: EventRow) => events.all(last?.sequence ?? 0, PAGE)))
      await take(`{"event":${cloudEventJson(row)}}`);
    const writes = db.prepare<[string, number], WriteRow>(
      "SELECT * FROM writes WHERE id > ? ORDER BY id LIMIT ?",
    );
    for (const row of pages((last?: WriteRow) => writes.all(last?.id ?? "", PAGE)))
      await take(stringifyJson({ write: toWrite(row) }));
    const audit = createAuditLog(db);
    for (const row of pages((last?: AuditRow) => audit.read({ after: last?.sequence ?? 0, limit: PAGE })))
      await take(stringifyJson({ audit: row }));
  });

function* pages<T>(next: (last: T | undefined) => T[]): Generator<T> {
  for (let page = next(undefined); page.length > 0; page = next(page.at(-1))) yield* page;
}

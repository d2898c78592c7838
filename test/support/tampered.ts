// Databases changed by an attacker who can write to the file and knows how the audit log's chain is built.

import { join } from "node:path";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { auditHash } from "../../src/contract/audit.ts";
import type { AuditRow } from "../../src/contract/writes.ts";
import { openTestStore, temporaryDirectory } from "./store.ts";
import {
  AGENT,
  approval,
  NEXUSD,
  NO_REJECTION,
  OPERATOR,
  proposedWrite,
  rejection,
  t,
} from "./stored-write.ts";

/** A closed database with one write that succeeded and one that is proposed; `w1` and `w2`. */
export const written = async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const long =
    "a reason that is longer than what a row of the audit log holds as it is, so that it is hashed";
  const done = proposedWrite({ id: "w1", reason: long, agent: "scout", precondition: '{"open":true}' });
  await store.proposeWrite(done, AGENT, NO_REJECTION);
  await store.markWriteShown("w1", OPERATOR, t(1));
  await store.transitionWrite({ ...approval("w1"), patch: { ...approval("w1").patch, note: "checked" } });
  await store.claimNextWrite(NEXUSD, t(2));
  await store.countWriteAttempt("w1");
  await store.transitionWrite({
    ...{ id: "w1", from: "executing", to: "succeeded", actor: NEXUSD, at: t(3), detail: {} },
    patch: { finishedAt: t(3), result: { output: { order: "shipped" } } },
  });
  await store.proposeWrite(proposedWrite({ id: "w2", reason: "later" }), AGENT, NO_REJECTION);
  expect(await store.verifyAudit()).toMatchObject({ ok: true, changed: [], changedCount: 0 });
  await store.close();
  return dataDir;
};

/** The same with a third write, `w3`, which was rejected long ago: its body was removed. */
export const writtenLongAgo = async () => {
  const dataDir = await written();
  const store = await openTestStore({ dataDir });
  await store.proposeWrite(proposedWrite({ id: "w3", reason: "old" }), AGENT, NO_REJECTION);
  await store.transitionWrite(rejection("w3", "no", t(-9)));
  expect(await store.removeBodies(t(0), t(5))).toEqual({ removed: 1 });
  expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 9, changedCount: 0 });
  await store.close();
  return dataDir;
};

/** Opens the file as any program can, without the restrictions of nexusd's schema. */
export const attack = (dataDir: string, work: (db: Database.Database) => void) => {
  const db = new Database(join(dataDir, "nexusd.db"));
  const triggers = db.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck();
  for (const name of triggers.all()) db.exec(`DROP TRIGGER ${name}`);
  work(db);
  db.close();
};

/** What an attacker who knows the chain would do: totals and hashes that match. */
export const setHead = (db: Database.Database, rows: number, hash: string) => {
  db.prepare("UPDATE meta SET value = ? WHERE key = 'audit_rows'").run(rows);
  db.prepare("UPDATE meta SET value = ? WHERE key = 'audit_head'").run(hash);
};
export const hashOf = (db: Database.Database, sequence: number) =>
  String(db.prepare("SELECT hash FROM audit WHERE sequence = ?").pluck().get(sequence));

/** @returns the matching hash */
export const insertRow = (db: Database.Database, row: AuditRow): string => {
  const hash = auditHash(row);
  db.prepare(
    `INSERT INTO audit (sequence, at, action, write_id, digest, via, user, detail, covers, previous_hash, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    ...[row.sequence, row.at, row.action, row.writeId, row.digest],
    ...[row.actor.via, row.actor.user, row.detail, row.covers ?? null, row.previousHash, hash],
  );
  return hash;
};

/** Appends a matching row, as an attacker who knows the chain can. */
export const append = (db: Database.Database, changes: Partial<AuditRow>) => {
  const last = db.prepare("SELECT max(sequence) FROM audit").pluck().get();
  const row: AuditRow = {
    ...{ sequence: Number(last) + 1, at: t(9), action: "approved", writeId: "w2", digest: "", detail: "{}" },
    ...{ actor: OPERATOR, previousHash: hashOf(db, Number(last)), hash: "" },
    ...changes,
  };
  setHead(db, row.sequence, insertRow(db, row));
};
